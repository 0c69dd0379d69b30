/**
 * The delivery and its journal against everything that may happen to them, in any order: every publish, answer, read and
 * commit is one step of a schedule that fast-check draws, and between any two of them the daemon may die.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, test, vi } from 'vitest';
import type { Fate } from './account.ts';
import { History, type Letter, ROUTES, STREAMS } from './history.ts';
import type { PlaceState, Whim } from './model-broker.ts';
import { FileStore, ModelStore, type Store } from './model-store.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const stream = fc.constantFrom(...STREAMS);
/** Of all records so far, up to where a full journal lets go: mostly the last ones, for others are gone already. */
const share = fc.oneof(fc.nat(99), fc.integer({ min: 70, max: 99 }));
const route = fc.constantFrom(...ROUTES);
const fates: readonly Fate[] = ['x', 'x', 'x', 'x', 'y', 'y', 'filtered', 'aged', 'unroutable', 'tooLarge', 'refused'];
const letter: fc.Arbitrary<Letter> = fc.record({
  key: fc.constantFrom(...'aaaabbbcdefghijklmn'),
  fate: fc.oneof({ weight: 30, arbitrary: fc.constantFrom(...fates) }, fc.constant('poison' as const)),
});
const whims = fc.array(
  fc.constantFrom<Whim>('passes', 'passes', 'unavailable', 'timeout', 'throttled', 'rejected', 'held'),
  {
    minLength: 1,
    maxLength: 8,
  },
);
const places: readonly PlaceState[] = ['open', 'open', 'missing', 'throttled', 'rejecting'];

const move = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('work' as const), steps: fc.integer({ min: 1, max: 40 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      stream,
      letters: fc.array(letter, { minLength: 1, maxLength: 12, size: 'max' }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.oneof(fc.integer({ min: 1, max: 4_000 }), fc.integer({ min: 1, max: 100_000 })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('place' as const),
      route,
      place: fc.constantFrom('x', 'y'),
      to: fc.constantFrom(...places),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('whims' as const), route, whims }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('hang' as const),
      route,
      hangs: fc.array(fc.constantFrom('stored' as const, 'lost' as const), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('break' as const),
      route,
      after: fc.array(fc.nat(4), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('up' as const), route, up: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const), patience: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), route, kill: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('add' as const), route }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const), stream, back: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('full' as const), route, stream, share }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('replay' as const),
      route,
      share: fc.option(fc.nat(99), { nil: undefined }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('revive' as const), route, each: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('drop' as const), route, each: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('disk' as const), full: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retain' as const) }) },
);
type Move = typeof move extends fc.Arbitrary<infer T> ? T : never;

async function perform(history: History, step: Move): Promise<void> {
  const broker = 'route' in step ? history.accounts.get(step.route)?.broker : undefined;
  switch (step.do) {
    case 'work':
      for (let i = 0; i < step.steps && (await history.step()); i += 1);
      return;
    case 'append':
      return history.append(step.stream, step.letters);
    case 'wait':
      return history.wait(step.ms);
    case 'place':
      broker?.places.set(step.place, step.to);
      return;
    case 'whims':
      broker?.whims.push(...step.whims);
      return;
    case 'hang':
      broker?.hangs.push(...step.hangs);
      return;
    case 'break':
      broker?.breaks.push(...step.after);
      return;
    case 'up':
      if (broker) broker.up = step.up;
      if (!step.up) for (const connection of [...(broker?.connections ?? [])]) connection.break('it went down');
      return;
    case 'crash':
      return history.crash();
    case 'stop':
      return history.stop(step.patience);
    case 'remove':
      return history.remove(step.route, step.kill);
    case 'add':
      return history.add(step.route);
    case 'restore':
      return history.restore(step.stream, step.back);
    case 'full':
      return history.full(step.route, step.stream, step.share);
    case 'replay':
      return history.replay(step.route, step.share);
    case 'revive':
      return history.revive(step.route, step.each);
    case 'drop':
      return history.dropDead(step.route, step.each);
    case 'disk':
      return history.setDisk(step.full);
    case 'retain':
      return history.retain();
    default:
      step satisfies never;
  }
}

/** Poison pills are found by how the others fare, so there must be enough others in the window. */
const options = fc.record({ ordered: fc.boolean(), pills: fc.boolean() });
type Options = typeof options extends fc.Arbitrary<infer T> ? T : never;

async function play(store: Store, scheduler: fc.Scheduler, { ordered, pills }: Options, moves: readonly Move[]) {
  const history = new History(store, scheduler, { ordered, window: pills ? 40 : 10 });
  for (const step of moves) await perform(history, step.do === 'append' && !pills ? harmless(step) : step);
  await history.heal();
  await history.finish();
}

function harmless(append: Extract<Move, { do: 'append' }>): Move {
  const letters = append.letters.map(({ key, fate }) => ({ key, fate: fate === 'poison' ? 'x' : fate }));
  return { ...append, letters };
}

/** Histories over the journal in arrays; over the real one, which is a hundred times slower, one for each thirty. */
const HISTORIES = Number(process.env.HISTORIES ?? 240);
const moves = fc.array(move, { minLength: 5, maxLength: 60, size: 'max' });

test('whatever happens in whatever order, each record is delivered, filtered, expired or dead, in order, and nothing is left behind', {
  timeout: 60_000 + 1_000 * HISTORIES,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), options, moves, async (scheduler, options, moves) => {
      await play(new ModelStore(), scheduler, options, moves);
    }),
    { numRuns: HISTORIES },
  );
});

test('the same holds over the real journal', { timeout: 60_000 + 1_000 * HISTORIES }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), options, moves, async (scheduler, options, moves) => {
      await using store = await FileStore.make();
      await play(store, scheduler, options, moves);
    }),
    { numRuns: Math.ceil(HISTORIES / 30) },
  );
});
