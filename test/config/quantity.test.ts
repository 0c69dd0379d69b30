import { describe, expect, it } from 'vitest';
import { nearest } from '../../src/config/nearest.ts';
import { duration, size } from '../../src/config/quantity.ts';

describe('a duration', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
  ])('%s is %d milliseconds', (text, milliseconds) => {
    expect(duration().parse(text)).toBe(milliseconds);
  });

  it.each(['', '24', '0h', '1 day', '-5m', '1.5h', 24])('%s is none', (text) => {
    expect(duration().safeParse(text).success).toBe(false);
  });
});

describe('a size', () => {
  it.each([
    ['512MiB', 536_870_912],
    ['2GiB', 2_147_483_648],
    ['1TiB', 1_099_511_627_776],
  ])('%s is %d bytes', (text, bytes) => {
    expect(size().parse(text)).toBe(bytes);
  });

  it.each(['2GB', '2', '2 GiB', 'GiB', 2])('%s is none', (text) => {
    expect(size().safeParse(text).success).toBe(false);
  });
});

describe('a guess at what was meant', () => {
  it.each([
    ['stdot', 'stdout'],
    ['kafak', 'kafka'],
    ['Nats', 'nats'],
    ['mqt', 'mqtt'],
    ['pubusb', 'pubsub'],
  ])('%s: %s', (word, meant) => {
    expect(nearest(word, ['kafka', 'mqtt', 'nats', 'pubsub', 'stdout'])).toBe(meant);
  });

  it('is not made where nothing is near', () => {
    expect(nearest('reciever', ['kafka', 'broker', 'topic'])).toBeUndefined();
  });
});
