import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Append, Appended } from '../../src/journal/record.ts';
import { AppendQueue } from '../../src/source/append-queue.ts';
import { Backlog } from '../../src/source/backlog.ts';
import { record, stream } from './step-cases.ts';

const { signal } = new AbortController();

function broken(error: unknown): never {
  throw error;
}

function append(epoch: number, version: number): Append {
  return { records: [record(String(version))], state: stream({ epoch, rv: undefined }) };
}

it('keeps the order and the epochs, one append at a time, however slow the journal is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(fc.boolean(), { maxLength: 20 }), async (scheduler, restores) => {
      let epoch = 0;
      const appends = restores.map((restored, index) => append(restored ? ++epoch : epoch, index + 1));
      const taken: Append[] = [];
      let underWay = 0;
      const journal = {
        async append(each: Append): Promise<Appended> {
          underWay += 1;
          expect(underWay).toBe(1);
          await scheduler.schedule(Promise.resolve());
          underWay -= 1;
          taken.push(each);
          return { state: each.state, inserted: each.records.length };
        },
      };
      const backlog = new Backlog(1);
      const queue = new AppendQueue({ journal, backlog, appended: () => {}, failed: broken }, signal);
      const pushed = scheduler.scheduleSequence(appends.map((each) => async () => queue.push(each)));
      await scheduler.waitFor(pushed.task);
      await scheduler.waitFor(queue.idle());
      const at = ({ records, state }: Append) => records.map(({ position }) => `${state.epoch} ${position}`);
      expect(taken.flatMap(at)).toEqual(appends.flatMap(at));
      expect(backlog.full).toBe(false);
    }),
  );
});

it('puts together what waits while an append is under way', async () => {
  const sizes: number[] = [];
  const commit = Promise.withResolvers<void>();
  const journal = {
    async append({ records, state }: Append): Promise<Appended> {
      sizes.push(records.length);
      await commit.promise;
      return { state, inserted: records.length };
    },
  };
  const parts = { journal, backlog: new Backlog(1), appended: () => {}, failed: broken };
  const queue = new AppendQueue(parts, signal);
  for (let version = 1; version <= 10; version += 1) queue.push(append(0, version));
  commit.resolve();
  await queue.idle();
  expect(sizes).toEqual([1, 9]);
});
