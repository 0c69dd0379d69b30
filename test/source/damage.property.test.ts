/** The reader of a watch against bytes that were cut, changed, lost, repeated and put in anywhere. */
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { envelopeOf } from '../../src/envelope/event.ts';
import { compareResourceVersions, type ResourceVersion } from '../../src/envelope/position.ts';
import type { Envelope } from '../../src/source/watch-lines.ts';
import { damaged, KINDS, linesOf, readBytes } from './damage.ts';
import { ModelServer } from './model-server.ts';

const HISTORIES = Number(process.env.HISTORIES ?? 1_000);
vi.setConfig({ testTimeout: 30_000 + 10 * HISTORIES });
const envelope: Envelope = (object) => envelopeOf(object, { cluster: 'test', origin: 'live', now: new Date(0) });

const SENT = (() => {
  const server = new ModelServer(997);
  for (const name of 'abcab') server.write(name);
  server.delete('a');
  server.write('c');
  return linesOf(server.writes);
})();

const damage = fc.record({
  kind: fc.constantFrom(...KINDS),
  at: fc.nat(SENT.length),
  amount: fc.oneof(fc.nat(255), fc.constantFrom(0x0a, 0x22, 0x2c, 0x30, 0x39, 0x7b, 0x7d, 0x80, 0xc3, 0xff)),
});

function texts(bytes: Buffer, places: readonly number[]): readonly string[] {
  const { told } = readBytes(bytes, places, envelope);
  return told.flatMap(({ records }) => records.map(({ attributes, data }) => `${attributes.id} ${data}`));
}

function newest(bytes: Buffer, places: readonly number[]): ResourceVersion | undefined {
  const versions = readBytes(bytes, places, envelope).told.map(({ rv }) => rv);
  return versions.toSorted(compareResourceVersions).at(-1);
}

/** Of a line, by another decoder: its text, unless it is damaged so that it shows. */
function legible(line: Buffer): string | undefined {
  try {
    JSON.parse(line.toString());
    return isUtf8(line) ? line.toString() : undefined;
  } catch {
    return undefined;
  }
}

function split(bytes: Buffer): Buffer[] {
  const lines = bytes.toString('latin1').split('\n');
  return lines.map((line) => Buffer.from(line, 'latin1'));
}

it('tells nothing of a watch from its first damaged line on, and what it told before was sent', () => {
  fc.assert(
    fc.property(
      fc.array(damage, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      (all, places) => {
        const bytes = all.reduce(damaged, SENT);
        const lines = split(bytes)
          .slice(0, -1)
          .filter(({ length }) => length > 0);
        const first = lines.findIndex((line) => legible(line) === undefined);
        const whole = first < 0 ? lines : lines.slice(0, first);
        const sound = Buffer.concat(whole.flatMap((line) => [line, Buffer.from('\n')]));
        expect(texts(bytes, places)).toEqual(texts(sound, []));
        expect(newest(bytes, places)).toEqual(newest(sound, []));
      },
    ),
    { numRuns: HISTORIES },
  );
});

it('tells every Event, whatever pieces its bytes come in, and wherever they end', () => {
  const all = texts(SENT, []);
  expect(all).toHaveLength(6);
  fc.assert(
    fc.property(fc.nat(SENT.length), fc.array(fc.nat()), (end, places) => {
      const told = texts(SENT.subarray(0, end), places);
      const whole = split(SENT.subarray(0, end)).length - 1;
      expect(told).toEqual(all.slice(0, whole < 6 ? Math.min(whole, 5) : whole - 1));
    }),
    { numRuns: HISTORIES },
  );
});

it('becomes no other character in a damaged byte', () => {
  const place = SENT.indexOf('é');
  for (let byte = 0x80; byte < 0x100; byte += 1) {
    const bytes = damaged(SENT, { kind: 'change', at: place, amount: byte });
    const same = byte === SENT[place];
    if (!isUtf8(bytes)) expect(texts(bytes, []), `byte ${byte}`).toEqual([]);
    if (same) expect(texts(bytes, [])).toHaveLength(6);
  }
});
