import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Attributes } from '../../../src/adapter.ts';
import { assertDelivered, type ContractCase, publishAll, withAdapter } from '../case.ts';
import { type DecodedEvent, type Harness, isAbsent, type Mode } from '../harness.ts';
import { message } from '../message.ts';

export function envelopeCases(harness: Harness): readonly ContractCase[] {
  const modes = (['binary', 'structured'] as const).filter((mode) => !isAbsent(harness.routes[mode]));
  return [
    ...modes.map((mode) => ({
      name: `an independent decoder reads the CloudEvent in ${mode} mode, hostile values and keys too`,
      run: (given: Harness) => decodes(given, mode),
    })),
    ...(harness.type.destination.field === undefined
      ? []
      : [{ name: 'whatever an Event says, what it adds to a name is one legal part of it', run: escapes }]),
  ];
}

/** Legal in a CloudEvents attribute, and each of it a separator, an escape or a wildcard somewhere. */
const HOSTILE = [
  'a b',
  ' leading and trailing ',
  'a/b/c',
  '#+*>$SYS',
  '..',
  'a.b.c',
  '"quoted" \\ and \'single\'',
  '100% %41 %zz',
  'key=value; other,one',
  'ünïcödé 日本語 🙈',
  '{"json":true}',
  '<a href="x">&amp;</a>',
  'x'.repeat(512),
];

async function decodes(harness: Harness, mode: Mode): Promise<void> {
  const destination = await harness.createDestination();
  await using reader = await harness.read(destination);
  await withAdapter(
    harness,
    async (adapter) => {
      const data = {
        note: 'line\nbreak \u0001\u007f\u2028 \ud83d\ude48 "',
        nested: { count: 3, none: null, list: [1.5] },
      };
      const messages = HOSTILE.map((value, i) =>
        message({ destination, key: `Pod/${i}/${value}`, data, attributes: { reason: value, name: value } }),
      );
      assertDelivered(await publishAll(harness, adapter, messages));
      const found = (await reader.received(messages.length)).map((one) => ({ one, event: harness.decode(one) }));
      for (const sent of messages) {
        const twin = found.find(({ event }) => event.attributes.id === sent.attributes.id);
        assert(twin, `no event ${sent.attributes.id}`);
        assertSameAttributes(twin.event, sent.attributes);
        assert.deepEqual(twin.event.data, data);
        const structured = twin.one.headers['content-type']?.startsWith('application/cloudevents+json') ?? false;
        if (twin.one.headers['content-type'] !== undefined) assert.equal(structured, mode === 'structured');
      }
    },
    { mode },
  );
}

/** Times are compared as instants, to the millisecond that JavaScript's decoders keep; numbers as text. */
function assertSameAttributes({ attributes }: DecodedEvent, sent: Attributes): void {
  for (const [name, value] of Object.entries(sent)) {
    const text = String(attributes[name]);
    if (name === 'time') assert.equal(Date.parse(text), Date.parse(String(value)), name);
    else assert.equal(text, String(value), name);
  }
}

async function escapes(harness: Harness): Promise<void> {
  const rules = harness.type.destination;
  const unit = fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code));
  const parts = fc.oneof(fc.constantFrom(...HOSTILE.slice(0, -1), ''), fc.string({ unit, maxLength: 20 }));
  fc.assert(
    fc.property(parts, (value) => {
      const part = rules.escape(value);
      assert.notEqual(part, '', 'never empty');
      // Alone it may be too short for a name, or begin wrongly; as a part of one it must do no harm.
      assert.equal(rules.refuse(`k8s${part}`), undefined, `${JSON.stringify(part)} from ${JSON.stringify(value)}`);
    }),
  );
  assert.equal(typeof rules.refuse(''), 'string', 'an empty name is refused');
}
