import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Answer, type Refusal, sendInOrder, Verdicts } from '../../adapters/in-order.ts';
import type { Message } from '../../src/adapter.ts';
import { message } from '../contract/message.ts';

const invalid: Refusal = { kind: 'reject', reason: 'invalid-message', detail: 'It is not valid.', judge: 'broker' };
const busy: Refusal = { kind: 'retry', reason: 'unavailable', detail: 'Not at the moment.' };

interface Item {
  readonly message: Message;
  readonly fate: 'good' | 'invalid' | 'too large' | 'busy';
}

const items = fc
  .array(
    fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      fate: fc.constantFrom<Item['fate']>('good', 'good', 'good', 'invalid', 'too large', 'busy'),
    }),
  )
  .map((list): Item[] => list.map(({ key, fate }) => ({ message: message({ destination: 'any', key }), fate })));

test('whatever is refused, nothing behind it of its key is stored, and what is stored is stored in its order', async () => {
  await fc.assert(
    fc.asyncProperty(items, fc.integer({ min: 1, max: 5 }), async (sent, size) => {
      const stored: Item[] = [];
      const verdicts = new Verdicts();
      // A broker that takes a batch whole or not at all.
      const send = async (batch: readonly Item[]): Promise<Answer> => {
        if (batch.some(({ fate }) => fate === 'busy')) return busy;
        if (batch.some(({ fate }) => fate === 'invalid')) return invalid;
        const receipts = batch.map((item) => ({ offset: stored.push(item) - 1 }));
        return { kind: 'stored', receipts };
      };
      const sound = verdicts.sound(sent, ({ fate }) =>
        fate === 'too large' ? { ...invalid, judge: 'adapter' } : undefined,
      );
      const batches = Array.from({ length: Math.ceil(sound.length / size) }, (_, i) =>
        sound.slice(i * size, (i + 1) * size),
      );
      await sendInOrder({ batches, send, verdicts });

      const outcomes = verdicts.of(sent.map((item) => item.message));
      const failed = new Set<string>();
      for (const [index, item] of sent.entries()) {
        const outcome = outcomes[index];
        const { key } = item.message;
        if (outcome?.kind === 'delivered') {
          expect(failed.has(key)).toBe(false);
          expect(stored[Number(outcome.receipt.offset)]).toBe(item);
        } else {
          failed.add(key);
          expect(stored).not.toContain(item);
        }
        // Only what is bad itself is rejected: the others come again.
        if (outcome?.kind === 'reject') expect(['invalid', 'too large']).toContain(item.fate);
      }
      const order = stored.map((item) => sent.indexOf(item));
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }),
  );
});

test('a message of which nothing is heard is not delivered', () => {
  const silent = message({ destination: 'any' });
  expect(new Verdicts().of([silent])).toMatchObject([{ kind: 'retry', reason: 'unavailable' }]);
});
