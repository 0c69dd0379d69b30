/**
 * The journal against two arrays and a few numbers: whatever is appended, listed, restored, settled, expired, closed or
 * killed, in whatever order, both say the same, from the ring as from the file, and the books balance after every step.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { ALL_NAMESPACES, type Cursor, compareCursors, ORIGIN } from '../../src/envelope/position.ts';
import type { OpenOptions } from '../../src/journal/open.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { NewRecord, ParkedMessage, Settlement, StreamState } from '../../src/journal/record.ts';
import {
  cursorOf,
  deadLettersOf,
  event,
  gap,
  imbalance,
  never,
  open,
  type Place,
  parkedAt,
  readAll,
  routeName,
  rv,
  temporaryPlace,
} from './fixture.ts';
import { essence, Model, type Step, step, unannounced } from './model.ts';

const HISTORIES = Number(process.env.HISTORIES ?? 10);
vi.setConfig({ testTimeout: 120_000 + 6_000 * HISTORIES });

const ROUTE = routeName('model');
const NOTHING = { route: ROUTE, cursors: new Map(), counters: {}, receipts: [], parked: [], unparked: [] };

class Subject {
  readonly model = new Model();
  journal: Journal;
  #place: Place;
  #images = 0;
  readonly #options: Partial<OpenOptions>;
  /** A quota that is always exceeded: whatever the route is done with may go at any time. */
  readonly #tight: boolean;

  constructor(journal: Journal, place: Place, options: Partial<OpenOptions>) {
    this.journal = journal;
    this.#place = place;
    this.#options = options;
    this.#tight = options.maxBytes === 1;
  }

  async perform(step: Step): Promise<void> {
    const { model } = this;
    const { state } = model;
    const newest = Number(
      model.records
        .findLast(({ epoch, record }) => epoch === state.epoch && record.kind === 'event')
        ?.position.slice(2) ?? 0,
    );
    const at = Math.max(newest, Number(state.rv ?? 0), Number(state.listing?.to ?? 0));
    switch (step.do) {
      case 'watch': {
        const events = Array.from({ length: step.events }, (_, index) => event(at + 1 + index));
        const repeated = step.again && newest > 0 ? [event(newest)] : [];
        const reached = at + step.events;
        if (state.listing)
          return this.#append([...repeated, ...events], {
            ...state,
            listing: { ...state.listing, rv: rv(Math.max(1, reached)) },
          });
        return this.#append([...repeated, ...events], { ...state, rv: reached === 0 ? undefined : rv(reached) });
      }
      case 'page': {
        const listing = state.listing ?? {
          rv: rv(at + 1),
          token: 'more',
          to: rv(at + 40),
          gap: 'compacted',
          recovered: 0,
        };
        const from = Number(listing.to) - 40;
        return this.#append(
          step.ahead.map((n) => event(from + n)),
          { ...state, listing },
        );
      }
      case 'list-ends': {
        if (!state.listing) return;
        const end = rv(Math.max(newest, Number(state.listing.to)));
        return this.#append([gap(Number(state.listing.to))], { ...state, rv: end, listing: undefined });
      }
      case 'gap':
        return state.rv === undefined ? undefined : this.#append([gap(Number(state.rv))], state);
      case 'late': {
        const late = Number(state.rv ?? 0) - step.by;
        return late < 1 || this.#tight ? undefined : this.#append([event(late)], state);
      }
      case 'restore':
        return this.#append([event(step.to)], {
          ...state,
          epoch: state.epoch + 1,
          rv: undefined,
          floor: undefined,
          listing: undefined,
        });
      case 'read':
        return this.#read(step);
      case 'settle':
        return this.#settle(step.fates);
      case 'unpark':
        return this.#unpark(step);
      case 'expire':
        return this.#expire(step.upTo);
      case 'replay':
        return this.#replay();
      case 'reopen':
        await this.journal[Symbol.asyncDispose]();
        return this.#open(this.#place.path);
      case 'crash':
        return this.#crash();
    }
  }

  async check(): Promise<void> {
    const { model, journal } = this;
    const needed = model.visible
      .filter((at) => !this.#tight || model.needs(at))
      .map((at) => essence({ ...at.record, ...at }));
    const found = (await readAll(journal, ORIGIN, { records: 7 })).map(essence);
    if (this.#tight) expect(found).toEqual(expect.arrayContaining(needed));
    else expect(found).toEqual(needed);
    const next = await readAll(journal, model.cursor, { records: 3 });
    expect(next.map(cursorOf)).toEqual(model.behind(model.cursor).map((at) => cursorOf(at)));
    await this.#checkRoute();
    const { floor: _, ...state } = model.state;
    if (model.records.length > 0) expect(await journal.streams()).toMatchObject([state]);
  }

  async #checkRoute(): Promise<void> {
    const { model, journal } = this;
    const [route] = await journal.routes();
    const { counters, pending } = model;
    const [replaying] = route?.replaying.values() ?? [];
    expect(replaying?.end).toEqual(model.end);
    expect(route).toMatchObject({ counters, pending: pending.length, lag: model.behind(model.cursor).length });
    expect(route && imbalance(route)).toBe(0);
    const parked = await journal.parked(ROUTE, {}, 1_000);
    expect(parked.map(({ cursor, destination }) => (destination === '' ? 'gap' : cursor))).toEqual(pending);
    expect(parked.every(({ record }) => record.intact)).toBe(true);
  }

  /** When the route is done with everything, retention leaves only what nobody may read yet. */
  async finish(): Promise<void> {
    const { model } = this;
    while (model.behind(model.cursor).length > 0) await this.#settle(Array(100).fill('delivered'));
    await this.#unpark({ do: 'unpark', count: 1_000, dies: false });
    await this.check();
    if (!this.#tight) return;
    const hidden = model.records.length - model.visible.length;
    const settled = async () => {
      const dead = await deadLettersOf(this.journal, ROUTE);
      expect((await this.journal.stats()).records).toBe(hidden + dead.length);
    };
    await vi.waitFor(settled, { timeout: 10_000 });
    await this.check();
  }

  async #append(records: readonly NewRecord[], state: StreamState): Promise<void> {
    const { inserted } = await this.journal.append({ records, state }, never);
    expect(inserted).toBe(this.model.append(records, state));
  }

  async #read({ from, records, bytes }: Extract<Step, { do: 'read' }>): Promise<void> {
    const { visible } = this.model;
    const anywhere = visible[Math.floor((visible.length * from) / 100)] ?? ORIGIN;
    const after = this.#tight ? this.model.cursor : anywhere;
    const expected: Cursor[] = [];
    let size = 0;
    for (const { record, ...at } of this.model.behind(after)) {
      size += record.data.length;
      if (expected.length === records || (size > bytes && expected.length > 0)) break;
      expected.push(at);
    }
    const page = await this.journal.read(ALL_NAMESPACES, cursorOf(after), { records, bytes });
    // What another read has brought before may be fewer.
    const [first, ...others] = page.map(cursorOf);
    expect([first, ...others]).toEqual([expected[0], ...expected.slice(1, page.length)]);
  }

  async #settle(fates: readonly string[]): Promise<void> {
    const { model } = this;
    const records = (await readAll(this.journal, model.cursor)).slice(0, fates.length);
    const last = records.at(-1);
    if (!last) return;
    const of = (fate: string) => records.filter((_, index) => fates[index] === fate);
    const dead = of('dead').map((record) => parkedAt(record, { state: 'dead', reason: 'too-large' }));
    const counters = {
      read: records.length,
      delivered: of('delivered').length,
      filtered: of('filtered').length,
      dead: dead.length,
    };
    await this.#commit({
      cursors: new Map([[ALL_NAMESPACES, cursorOf(last)]]),
      counters,
      parked: [...of('held').map((record) => parkedAt(record)), ...dead],
    });
    model.moveOn(cursorOf(last));
    model.pending.push(...of('held').map(cursorOf));
  }

  async #unpark({ count, dies }: Extract<Step, { do: 'unpark' }>): Promise<void> {
    const rows = await this.journal.parked(ROUTE, {}, count);
    const parked = dies
      ? rows.map(({ id: _, record: __, ...row }: ParkedMessage) => ({ ...row, state: 'dead' as const }))
      : [];
    const counters = dies ? { dead: rows.length } : { delivered: rows.length };
    await this.#commit({ counters, parked, unparked: rows.map(({ id }) => id) });
    this.model.pending.splice(0, rows.length);
  }

  async #commit(part: Partial<Settlement>): Promise<void> {
    await this.journal.settle({ ...NOTHING, ...part });
    for (const [name, value] of Object.entries(part.counters ?? {}))
      this.model.counters[name as keyof Model['counters']] += value;
  }

  async #expire(share: number): Promise<void> {
    const { model } = this;
    const upTo = model.visible[Math.floor((model.visible.length * share) / 100)];
    if (!upTo) return;
    const skipped = model.behind(model.cursor).filter((at) => compareCursors(at, upTo) <= 0).length;
    const left = model.pending.filter((at) => at === 'gap' || compareCursors(at, upTo) > 0);
    const dropped = model.pending.length - left.length;
    const lost = model.visible.filter((at) => model.needs(at) && compareCursors(at, upTo) <= 0);
    const { expired } = await this.journal.expire(ROUTE, ALL_NAMESPACES, cursorOf(upTo));
    expect(expired).toBe(skipped + dropped);
    model.counters.expired += expired;
    model.counters.read += skipped;
    model.pending = left;
    if (compareCursors(upTo, model.cursor) > 0) model.moveOn(cursorOf(upTo));
    if (expired === 0) return;
    const epochs = [...Map.groupBy(lost, ({ epoch }) => epoch).values()];
    model.counters.read += epochs.length;
    model.pending.push(...epochs.map(() => 'gap' as const));
    const gaps = (await this.journal.parked(ROUTE, { destination: '' }, 1_000)).slice(-epochs.length);
    const told = gaps.map(({ record }) => JSON.parse(Buffer.from(record.data).toString()).gap);
    expect(epochs.flatMap((its, at) => unannounced(told[at], its))).toEqual([]);
  }

  async #replay(): Promise<void> {
    const { model } = this;
    const answer = await this.journal.replay(ROUTE, { kind: 'oldest' });
    for (const { cursor, end, records } of 'refused' in answer ? [] : answer.streams) {
      expect(records).toBe(model.behind(cursor).length - model.behind(end).length);
      // What stands behind the end has not been read before.
      expect(model.behind(end)).toEqual(model.behind(model.end ?? model.cursor));
      Object.assign(model, { cursor, end });
    }
  }

  /** The files as a kill at this moment would leave them; copied by another process, for closing them in this one frees the lock. */
  async #crash(): Promise<void> {
    const image = join(this.#place.directory, `image-${++this.#images}.db`);
    for (const part of ['', '-wal']) execFileSync('cp', [`${this.#place.path}${part}`, `${image}${part}`]);
    await this.journal[Symbol.asyncDispose]();
    this.#place = { ...this.#place, path: image };
    return this.#open(image);
  }

  async #open(path: string): Promise<void> {
    this.journal = await open({ path }, this.#options);
    const state = await this.journal.openRoute(ROUTE, { startFrom: 'now', atQuota: 'expire' });
    expect(state.cursors.get(ALL_NAMESPACES) ?? ORIGIN).toEqual(this.model.cursor);
  }
}

test('the journal behaves like an array, whatever happens to it', async () => {
  const options = fc.record({
    ringBytes: fc.constantFrom(0, 6_000, 16 * 1024 * 1024),
    maxBytes: fc.constantFrom(1, 1024 ** 3),
  });
  await fc.assert(
    fc.asyncProperty(options, fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), async (options, steps) => {
      await using place = await temporaryPlace();
      const subject = new Subject(await open(place, options), place, options);
      try {
        await subject.journal.openRoute(ROUTE, { startFrom: 'oldest', atQuota: 'expire' });
        for (const each of steps) {
          await subject.perform(each);
          await subject.check();
        }
        await subject.finish();
      } finally {
        await subject.journal[Symbol.asyncDispose]();
      }
    }),
    { numRuns: HISTORIES, interruptAfterTimeLimit: 6_000 * HISTORIES, markInterruptAsFailure: false },
  );
});
