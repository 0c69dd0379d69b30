import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mqttTopic } from '../../adapters/mqtt-topic.ts';
import { natsSubject } from '../../adapters/nats-subject.ts';

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom(...'/.+#*>$% _%25\u0000\u0001\n\u007f\u0085\u2028\ufdd0\ufffe\ud800\udc00ü🙈', '%2F', '..'),
    maxLength: 12,
  }),
);

/** Undoes the escape: what can be undone cannot have made two values one. */
function unescaped(part: string): string {
  const bytes = part.replace(/%([0-9A-F]{2})|[^%]/gu, (one, hex: string | undefined) =>
    hex === undefined ? Buffer.from(one).toString('hex') : hex,
  );
  return Buffer.from(bytes, 'hex').toString('hex');
}

/** Properties take their time on a busy machine. */
const PATIENCE = { timeout: 30_000 };

describe.for([
  { name: 'MQTT topic', rules: mqttTopic, separator: '/', wildcards: /[+#]/ },
  { name: 'NATS subject', rules: natsSubject, separator: '.', wildcards: /[*>]/ },
])('an escaped part of an $name', ({ rules, separator, wildcards }) => {
  test('is never empty, is legal wherever it stands, and adds no level and no wildcard', PATIENCE, () => {
    fc.assert(
      fc.property(hostile, (value) => {
        const part = rules.escape(value);
        expect(part).not.toBe('');
        for (const name of [part, `k8s${separator}${part}`, `${part}${separator}events`, `a${part}${part}b`]) {
          expect(rules.refuse(name)).toBeUndefined();
        }
        expect(part.includes(separator)).toBe(false);
        expect(wildcards.test(part)).toBe(false);
      }),
    );
  });

  test('is another one for another value, but that an empty value becomes _', PATIENCE, () => {
    fc.assert(
      fc.property(hostile, hostile, (one, other) => {
        fc.pre(one !== '' && other !== '');
        expect(rules.escape(one) === rules.escape(other)).toBe(one === other);
      }),
    );
    expect(rules.escape('')).toBe('_');
    expect(rules.escape('\ud800')).not.toBe(rules.escape('\ud801'));
    expect(rules.escape('\ud800')).not.toBe(rules.escape('\ufffd'));
  });

  test('can be read back by anybody who knows percent-encoding', PATIENCE, () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (value) => {
        expect(unescaped(rules.escape(value))).toBe(Buffer.from(value).toString('hex'));
        expect(decodeURIComponent(rules.escape(value))).toBe(value);
      }),
    );
  });
});

test('an escaped part is what a person would write', () => {
  expect(mqttTopic.escape('a/b+c#d%e f')).toBe('a%2Fb%2Bc%23d%25e f');
  expect(mqttTopic.escape('$SYS')).toBe('%24SYS');
  expect(mqttTopic.escape('Größe 日本')).toBe('Größe 日本');
  expect(natsSubject.escape('node-1.example.com')).toBe('node-1%2Eexample%2Ecom');
  expect(natsSubject.escape('a b*>')).toBe('a%20b%2A%3E');
  expect(natsSubject.escape('ü')).toBe('%C3%BC');
});

test.for([
  ['', 'it is empty'],
  ['k8s/+/x', 'wildcard'],
  ['k8s/#', 'wildcard'],
  ['$SYS/broker', '$'],
  ['a\u0000b', 'does not allow'],
  ['a\nb', 'does not allow'],
  ['a\ufffeb', 'does not allow'],
  ['a\ud800b', 'does not allow'],
  ['ü'.repeat(32_768), '65536 bytes'],
] as const)('MQTT refuses the topic %j', ([topic, why]) => {
  expect(mqttTopic.refuse(topic)).toContain(why);
});

test.for(['/', '/a', 'a//b', 'a b', 'ü'.repeat(32_767)])('MQTT takes the topic %j', (topic) => {
  expect(mqttTopic.refuse(topic)).toBeUndefined();
});

test.for([
  ['', 'it is empty'],
  ['a..b', 'empty'],
  ['.a', 'empty'],
  ['a.', 'empty'],
  ['a.*.b', 'wildcard'],
  ['a.>', 'wildcard'],
  ['a b', 'white space'],
  ['a\u2028b', 'white space'],
  ['a\u0001b', 'control'],
  ['$JS.API.STREAM.DELETE.EVENTS', '$'],
  ['$SYS.x', '$'],
  ['a'.repeat(4_001), '4001 bytes'],
] as const)('NATS refuses the subject %j', ([subject, why]) => {
  expect(natsSubject.refuse(subject)).toContain(why);
});

test.for(['a', 'a*b.c>', 'k8s.web.Pod', 'a'.repeat(4_000)])('NATS takes the subject %j', (subject) => {
  expect(natsSubject.refuse(subject)).toBeUndefined();
});
