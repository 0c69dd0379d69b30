import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Emissions } from '../../src/simulator/emissions.ts';
import { jsonOf, type Revision } from '../../src/simulator/revision.ts';
import { DEFAULT_LIMITS, type Limits, Store } from '../../src/simulator/store.ts';

const FIRST = 10;
const NAMES = ['a/x', 'a-b/x', 'b/x'];

function storeOf(limits: Partial<Limits> = {}) {
  const clock = { now: 0 };
  const store = new Store({ ...DEFAULT_LIMITS, ...limits }, FIRST, () => clock.now);
  return { store, clock };
}

function put(store: Store, name: string, text = ''): Revision {
  const [namespace = '', short = ''] = name.split('/');
  return store.put({ namespace, name: short, uid: store.newUid(), body: { head: `${name} `, tail: ` ${text}` } });
}

function contents(store: Store, revision: number): string[] {
  return [...store.snapshot(revision, '', undefined)].map(jsonOf);
}

/** Everything that a store still knows of a key. */
function statesOf(store: Store, key: string): Revision[] {
  const states: Revision[] = [];
  for (let state = store.get(key); state !== undefined; state = state.previous) states.push(state);
  return states;
}

/** What a store is asked to do, and the whole truth about it: the sorted contents after every revision. */
class Model {
  readonly store = storeOf().store;
  readonly truth = new Map<number, readonly string[]>([[FIRST - 1, []]]);
  #revision = FIRST - 1;

  at(revision: number): ReadonlyMap<string, string> {
    return new Map(this.truth.get(revision)?.map((text) => [text.split(' ')[0] ?? '', text]));
  }

  put(name: string): void {
    const now = new Map(this.at(this.#revision));
    put(this.store, name);
    now.set(name, `${name} ${this.#revision + 1} `);
    this.#becomes(now);
  }

  delete(name: string): void {
    const now = new Map(this.at(this.#revision));
    this.store.delete(name);
    if (now.delete(name)) this.#becomes(now);
  }

  advance(): void {
    this.store.advance();
    this.#becomes(this.at(this.#revision));
  }

  compact(back: number): void {
    this.store.compact(Math.max(this.#revision - back, FIRST - 1));
  }

  restore(back: number): void {
    const to = Math.max(this.#revision - back, this.store.compacted, FIRST - 1);
    this.store.restore(to);
    for (let revision = to + 1; revision <= this.#revision; revision++) this.truth.delete(revision);
    this.#revision = to;
  }

  check(): void {
    expect(this.store.revision).toBe(this.#revision);
    expect(this.store.size).toBe(this.at(this.#revision).size);
    for (const key of NAMES) expect(this.store.get(key) !== undefined).toBe(this.at(this.#revision).has(key));
    const first = Math.max(this.store.compacted, FIRST - 1);
    for (let revision = first; revision <= this.#revision; revision++) {
      expect(contents(this.store, revision)).toEqual(this.truth.get(revision));
      for (const [at, from] of NAMES.entries()) {
        const its = [from, NAMES[at + 1]] as const;
        expect(this.store.count(revision, ...its)).toBe([...this.store.snapshot(revision, ...its)].length);
      }
    }
    this.#checkHistory(first);
  }

  /** The changes that a watch is given lead from any state to the present one. */
  #checkHistory(first: number): void {
    const { history } = this.store;
    const state = new Map(this.at(first));
    for (let place = history.after(first); place < history.end; place++) {
      const change = history.at(place);
      if (change?.type === 'DELETED') expect(state.delete(change.key)).toBe(true);
      else if (change !== undefined) {
        expect(state.has(change.key)).toBe(change.type === 'MODIFIED');
        state.set(change.key, jsonOf(change));
      }
    }
    expect([...state.values()].sort()).toEqual([...(this.truth.get(this.#revision) ?? [])].sort());
  }

  #becomes(state: ReadonlyMap<string, string>): void {
    const keys = [...state.keys()].sort();
    this.truth.set(
      ++this.#revision,
      keys.map((key) => state.get(key) ?? ''),
    );
  }
}

test('every state since the last compaction can be listed, and every change watched, whatever was done', () => {
  const name = fc.constantFrom(...NAMES);
  const back = fc.nat({ max: 3 });
  const step = fc.oneof(
    { weight: 4, arbitrary: name.map((key) => (model: Model) => model.put(key)) },
    { weight: 3, arbitrary: name.map((key) => (model: Model) => model.delete(key)) },
    { weight: 1, arbitrary: fc.constant((model: Model) => model.advance()) },
    { weight: 2, arbitrary: back.map((revisions) => (model: Model) => model.compact(revisions)) },
    { weight: 2, arbitrary: back.map((revisions) => (model: Model) => model.restore(revisions)) },
    { weight: 4, arbitrary: fc.constant((model: Model) => model.check()) },
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }), (steps) => {
      const model = new Model();
      for (const each of [...steps, (last: Model) => last.check()]) each(model);
    }),
    { numRuns: 500 },
  );
});

test('an Event expires one time to live after its last write, and that is a deletion', () => {
  const { store, clock } = storeOf({ eventTtlSeconds: 60 });
  put(store, 'a/x');
  clock.now = 30_000;
  put(store, 'a/y');
  put(store, 'a/x');
  put(store, 'a/z');
  store.delete('a/z');
  clock.now = 89_999;
  store.sweep();
  expect(store.size).toBe(2);
  clock.now = 90_000;
  store.sweep();
  expect(store.size).toBe(0);
  const last = [1, 2].map((n) => store.history.at(store.history.end - n));
  expect(last).toMatchObject([
    { type: 'DELETED', key: 'a/x' },
    { type: 'DELETED', key: 'a/y' },
  ]);
});

test('history is forgotten by its age, and what is there is not', () => {
  const { store, clock } = storeOf({ historySeconds: 300 });
  put(store, 'a/x');
  clock.now = 200_000;
  const later = put(store, 'a/y');
  clock.now = 300_001;
  store.sweep();
  expect(store.compacted).toBe(later.resourceVersion);
  expect(contents(store, store.revision)).toHaveLength(2);
  clock.now = 600_000;
  store.sweep();
  expect(store.compacted).toBe(store.revision);
  expect(contents(store, store.revision)).toHaveLength(2);
});

test('memory is bounded: by the number of Events, of revisions, and by their size', () => {
  const { store } = storeOf({ events: 10, revisions: 100, bytes: 20_000 });
  for (let n = 0; n < 1000; n++) put(store, `a/${n % 30}`, 'x'.repeat(n % 7 === 0 ? 1000 : 10));
  expect(store.size).toBe(10);
  expect(store.history.length).toBeLessThanOrEqual(110);
  expect(store.history.bytes).toBeLessThanOrEqual(22_000);
  expect(statesOf(store, 'a/9').length).toBeLessThanOrEqual(10);
  for (let n = 0; n < 100; n++) put(store, `a/${n}`, 'x'.repeat(10_000));
  expect(store.size).toBeLessThanOrEqual(2);
  expect(contents(store, store.revision)).toHaveLength(store.size);
});

test('the log of what was emitted has every revision that is no deletion, the newest million of them', () => {
  const { store } = storeOf();
  const emissions = new Emissions((count) => store.uidOf(count), 20_000);
  const written: string[] = [];
  store.onRevision = (revision) => {
    emissions.record(revision);
    if (revision.type !== 'DELETED') written.push(`${revision.uid}.${revision.resourceVersion}`);
  };
  for (let n = 0; n < 50_000; n++) {
    put(store, `a/${n % 10}`);
    if (n % 4 === 0) store.delete(`a/${n % 10}`);
  }
  const kept = [...emissions].map(({ uid, resourceVersion }) => `${uid}.${resourceVersion}`);
  expect(emissions.count).toBe(50_000);
  expect(kept.length).toBeGreaterThanOrEqual(20_000);
  expect(kept.length).toBeLessThan(40_000);
  expect(kept).toEqual(written.slice(-kept.length));
  expect([...emissions.from(49_998)]).toHaveLength(2);
});
