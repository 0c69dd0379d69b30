import { expect, test, vi } from 'vitest';
import { ALL_NAMESPACES, gapPositionOf, ORIGIN, type Position, positionOf } from '../../src/envelope/position.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { ReplayAnswer, ReplayFrom } from '../../src/journal/record.ts';
import {
  appendLive,
  cursorOf,
  drain,
  event,
  gap,
  imbalance,
  never,
  open,
  parkedAt,
  readAll,
  recordsLeft,
  routeName,
  routeState,
  rv,
  state,
  temporaryPlace,
  versions,
} from './fixture.ts';

const A = routeName('a');
const EXPIRE = { startFrom: 'oldest', atQuota: 'expire' } as const;
const BLOCK = { startFrom: 'oldest', atQuota: 'block' } as const;
const OLDEST: ReplayFrom = { kind: 'oldest' };
const QUOTA = 2 * 1024 * 1024;

function from(...positions: readonly (number | Position)[]): ReplayFrom {
  const read = positions.map((one) => (typeof one === 'number' ? positionOf(rv(one)) : one));
  return { kind: 'position', positions: read };
}

/** What route A is going to read again: how many records of how many streams, and the first and the last of them. */
async function replayed(journal: Journal, where: ReplayFrom) {
  const answer = await journal.replay(A, where);
  if ('refused' in answer) return answer.refused;
  const [one] = answer.streams;
  return { number: answer.number, records: one?.records, first: one?.first.position, end: one?.end.position };
}

async function cursor(journal: Journal) {
  return (await routeState(journal, A)).cursors.get(ALL_NAMESPACES);
}

test('a replay reads again all that is retained, up to where the route stood; what comes then is none', async () => {
  await using place = await temporaryPlace();
  {
    await using journal = await open(place);
    await journal.openRoute(A, EXPIRE);
    await appendLive(journal, 1, 10);
    await drain(journal, A);
    expect(await replayed(journal, OLDEST)).toEqual({ number: 1, records: 10, first: '011', end: '0210' });
    await appendLive(journal, 11, 12);
  }
  // A start finds it as it was.
  await using journal = await open(place);
  const { replaying, replays, lag } = await journal.openRoute(A, EXPIRE);
  expect({ replays, lag }).toEqual({ replays: 1, lag: 12 });
  expect(replaying.get(ALL_NAMESPACES)).toMatchObject({ number: 1, left: 10, end: { epoch: 1, position: '0210' } });
  expect(versions(await drain(journal, A))).toHaveLength(12);
  const after = await routeState(journal, A);
  expect(after.replaying.size).toBe(0);
  expect(after.counters).toMatchObject({ read: 22, delivered: 22 });
  expect(imbalance(after)).toBe(0);
});

test('one that is asked for while another is under way has a number of its own, and the same end', async () => {
  await using journal = await filled();
  expect(await replayed(journal, from(5))).toMatchObject({ number: 1, records: 6, end: '0210' });
  await settleUpTo(journal, 7);
  expect(await replayed(journal, from(3))).toEqual({ number: 2, records: 8, first: '013', end: '0210' });
  expect((await routeState(journal, A)).replaying.get(ALL_NAMESPACES)).toMatchObject({ number: 2, left: 8 });
  expect(await replayed(journal, from(9))).toMatch(
    /^route a has all from there on still before it, and sends it anyway: _all 019, stored /,
  );
  expect((await routeState(journal, A)).replays).toBe(2);
});

test.each([
  [from(4), '014'],
  [from('014' as Position), '014'],
  [from(gapPositionOf(rv(4))), '014!'],
  // Not there any more, or of another stream: what comes behind it.
  [from(1), '012'],
  // A resourceVersion that reads as a sequence too: what is there is meant.
  [from(positionOf(rv('104111111111')), '104111111111' as Position), '104111111111'],
  [from('104111111112' as Position, positionOf(rv('104111111112'))), '12104111111112'],
])('%j begins at %s', async (where, first) => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await journal.openRoute(A, EXPIRE);
  const records = ['2', '4', '4111111111', '104111111112'].map((version) => event(version));
  await journal.append({ records: [...records, gap(4)], state: state('104111111112' as never) }, never);
  await drain(journal, A);
  expect(await replayed(journal, where)).toMatchObject({ first });
});

test('a resourceVersion is one of the history that goes on; one that only an older history has is found there', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await journal.openRoute(A, EXPIRE);
  await appendLive(journal, 1, 100);
  // A late one is of the same history, and opens an epoch; a restored cluster begins another history.
  await journal.append({ records: [event(50)], state: state(100, { epoch: 2 }) }, never);
  await journal.append({ records: [event(40)], state: state(40, { epoch: 3 }) }, never);
  await journal.append({ records: [event(60)], state: state(60, { epoch: 3 }) }, never);
  await drain(journal, A);
  const epochs = async (where: ReplayFrom) => {
    const answer = await journal.replay(A, where);
    if ('refused' in answer) return answer.refused;
    await drain(journal, A);
    return answer.streams.map(({ first, records }) => [first.epoch, first.position, records]);
  };
  expect(await epochs(from(55))).toEqual([[3, '0260', 1]]);
  expect(await epochs(from(30))).toEqual([[3, '0240', 2]]);
  expect(await epochs(from(99))).toEqual([[1, '0299', 5]]);
  expect(await epochs(OLDEST)).toEqual([[1, '011', 103]]);
  expect(await epochs(from(101))).toBe('nothing from there on is in the journal: the newest is _all 0260');
});

test('a time means what was stored then or later, in every stream', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    await using place = await temporaryPlace();
    await using journal = await open(place);
    await journal.openRoute(A, EXPIRE);
    for (let hour = 0; hour < 5; hour += 1) {
      vi.setSystemTime(hour * 3_600_000 + 1);
      await appendLive(journal, hour * 10 + 1, hour * 10 + 10);
      const web = { stream: 'web' as never };
      if (hour % 2 === 0) await journal.append({ records: [event(hour + 1)], state: state(hour + 1, web) }, never);
    }
    await settleUpTo(journal);
    const answer = await journal.replay(A, { kind: 'time', at: 3 * 3_600_000 });
    expect(answer).toMatchObject({
      streams: [
        { stream: ALL_NAMESPACES, records: 20, first: { position: '0231', appendedAt: 3 * 3_600_000 + 1 } },
        { stream: 'web', records: 1, first: { position: '015' } },
      ],
    });
    await settleUpTo(journal);
    expect(await replayed(journal, { kind: 'time', at: 1 })).toMatchObject({ first: '011', records: 50 });
    await settleUpTo(journal);
    expect(await replayed(journal, { kind: 'time', at: 4 * 3_600_000 + 1 })).toMatchObject({ records: 10 });
    await settleUpTo(journal);
    expect(await replayed(journal, { kind: 'time', at: Date.now() + 1 })).toContain('is in the future');
    vi.setSystemTime(9 * 3_600_000);
    expect(await replayed(journal, { kind: 'time', at: 5 * 3_600_000 })).toContain('the newest is _all 0250; web 015');
  } finally {
    vi.useRealTimers();
  }
});

test('what retention has deleted is not promised: it says what is the oldest that is left', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { retainMs: 1_500 });
  await journal.openRoute(A, EXPIRE);
  await appendLive(journal, 1, 10);
  await drain(journal, A);
  await vi.waitFor(async () => expect(await recordsLeft(journal)).toBe(0), { timeout: 30_000 });
  await appendLive(journal, 11, 20);
  const [eleventh] = await readAll(journal);
  await drain(journal, A);
  const oldest = `_all 0211, stored ${new Date(eleventh?.appendedAt ?? 0).toISOString()}. --from oldest sends all of it`;
  expect(await replayed(journal, from(10))).toContain(oldest);
  expect(await replayed(journal, { kind: 'time', at: Date.now() - 60_000 })).toContain(oldest);
  expect(await replayed(journal, from(11))).toMatchObject({ records: 10 });
  await drain(journal, A);
  expect(await replayed(journal, { kind: 'time', at: eleventh?.appendedAt ?? 0 })).toMatchObject({ records: 10 });
});

test('there is a reason for each no', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  expect(await replayed(journal, OLDEST)).toBe('the journal has no route a');
  await journal.openRoute(A, EXPIRE);
  expect(await replayed(journal, OLDEST)).toBe('the journal holds no record');
  await appendLive(journal, 1, 10);
  expect(await replayed(journal, OLDEST)).toContain(
    'has all from there on still before it, and sends it anyway: _all 011, stored',
  );
  await journal.closeRoute(A);
  expect(await replayed(journal, OLDEST)).toBe('route a is no longer in the config, and sends nothing');
});

test('what it is to read again is kept until it has been read, whatever its age', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { retainMs: 1_500 });
  await journal.openRoute(A, EXPIRE);
  await appendLive(journal, 1, 10);
  await drain(journal, A);
  expect(await replayed(journal, from(4))).toMatchObject({ records: 7 });
  await vi.waitFor(async () => expect(await recordsLeft(journal)).toBe(7), { timeout: 30_000 });
  await settleUpTo(journal, 8);
  await vi.waitFor(async () => expect(await recordsLeft(journal)).toBe(2), { timeout: 30_000 });
  expect(versions(await drain(journal, A))).toEqual(['9', '10']);
});

test('why a record was passed over is forgotten where it is read again', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place);
  await appendLive(journal, 1, 10);
  await journal.openRoute(A, { startFrom: 'now', atQuota: 'expire' });
  await replayed(journal, from(6));
  const trails = await journal.paperTrail.of(await readAll(journal));
  const reasons = trails.map(({ routes: [trail] }) => trail?.passedOver?.reason);
  expect(reasons).toEqual([...Array(5).fill('before-start'), ...Array(5).fill(undefined)]);
});

test('a full journal lets go of a replay, whose gap says so, and never stops the intake for one', async () => {
  await using place = await temporaryPlace();
  await using journal = await open(place, { maxBytes: QUOTA });
  await journal.openRoute(A, BLOCK);
  const expiries: ReturnType<Journal['expire']>[] = [];
  journal.onQuota(A, (stream, upTo) => {
    expiries.push(journal.expire(A, stream, upTo));
  });
  await appendLive(journal, 1, 300, 4_000);
  await drain(journal, A);
  const answer: ReplayAnswer = await journal.replay(A, OLDEST);
  expect(answer).toMatchObject({ streams: [{ records: 300 }] });
  for (let at = 301; at <= 450; at += 50) await appendLive(journal, at, at + 49, 4_000);
  await vi.waitFor(async () => expect((await journal.stats()).bytes).toBeLessThanOrEqual(QUOTA));
  const expired = (await Promise.all(expiries)).reduce((sum, one) => sum + one.expired, 0);
  expect(expired).toBeGreaterThan(0);
  expect(expired).toBeLessThanOrEqual(300);
  const gaps = await journal.parked(A, { destination: '' }, 100);
  const notes = gaps.map(({ record }) => JSON.parse(Buffer.from(record.data).toString()).note);
  expect(notes[0]).toMatch(/full during a replay: Events of the cluster from .* to \d+ are not sent again by this/);
  const left = await drain(journal, A);
  expect(versions(left).slice(-150)).toEqual(Array.from({ length: 150 }, (_, i) => String(301 + i)));
  expect(imbalance(await routeState(journal, A))).toBe(0);
});

test('a message that is parked when a replay begins stays what it is, and what the replay parks has its number', async () => {
  await using journal = await filled();
  const [first] = await readAll(journal);
  if (first === undefined) throw new Error('there are ten');
  const nothing = { route: A, cursors: new Map(), counters: {}, receipts: [], parked: [], unparked: [] };
  await journal.settle({ ...nothing, counters: { read: 1 }, parked: [parkedAt(first)] });
  await replayed(journal, OLDEST);
  const moved = new Map([[ALL_NAMESPACES, cursorOf(first)]]);
  await journal.settle({ ...nothing, cursors: moved, counters: { read: 1 }, parked: [parkedAt(first, { replay: 1 })] });
  expect((await journal.parked(A, {}, 10)).map(({ replay }) => replay)).toEqual([0, 1]);
  expect(await cursor(journal)).toEqual(cursorOf(first));
  expect(imbalance(await routeState(journal, A))).toBe(0);
});

/** Ten Events, which route A has delivered. */
async function filled() {
  const stack = new AsyncDisposableStack();
  const journal = stack.use(await open(stack.use(await temporaryPlace())));
  await journal.openRoute(A, EXPIRE);
  await appendLive(journal, 1, 10);
  await drain(journal, A);
  return Object.assign(journal, { [Symbol.asyncDispose]: () => stack.disposeAsync() });
}

/** As delivered, of all streams; of the cluster's alone up to `last`, if that is given. */
async function settleUpTo(journal: Journal, last?: number): Promise<void> {
  for (const { stream } of last === undefined ? await journal.streams() : [{ stream: ALL_NAMESPACES }]) {
    const after = (await routeState(journal, A)).cursors.get(stream) ?? ORIGIN;
    const all = await journal.read(stream, after, { records: 1_000, bytes: 1024 ** 2 });
    const records = all.filter(({ position }) => last === undefined || position <= positionOf(rv(last)));
    const end = records.at(-1);
    if (end === undefined) continue;
    const counters = { read: records.length, delivered: records.length };
    const cursors = new Map([[stream, cursorOf(end)]]);
    await journal.settle({ route: A, cursors, counters, receipts: [], parked: [], unparked: [] });
  }
}
