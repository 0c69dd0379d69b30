/**
 * The step function against a naive model of what was readable, under answers, failures, crashes, compactions and
 * restores in any order. Nothing may be missing that no gap record has announced, and nothing may come late.
 */
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { checkpointOf } from '../../src/source/state.ts';
import { KINDS } from './damage.ts';
import { type Ending, ModelDaemon } from './model-daemon.ts';
import { contentOf, idOf, ModelServer } from './model-server.ts';

type Action = readonly [name: keyof typeof ACTIONS, amount: number];

/** resourceVersions become longer on the way, as 999 and 1000. */
interface History {
  readonly first: number;
  readonly actions: readonly Action[];
}

const HISTORIES = Number(process.env.HISTORIES ?? 1_000);
vi.setConfig({ testTimeout: 30_000 + 10 * HISTORIES });

const ENDINGS: readonly Ending[] = ['timeout', 'early', 'at-once', 'failed', 'blocked', 'expired'];
const NAMES = 'abcdefg';

const ACTIONS = {
  write: ({ server }: ModelDaemon, n: number) => server.write(NAMES[n % NAMES.length] ?? 'a'),
  delete: ({ server }: ModelDaemon, n: number) => server.delete(NAMES[n % NAMES.length] ?? 'a'),
  noise: ({ server }: ModelDaemon) => server.noise(),
  compact: ({ server }: ModelDaemon) => server.compact(),
  answer: (daemon: ModelDaemon, n: number) => daemon.answerWatch(1 + (n % 3)),
  page: (daemon: ModelDaemon) => daemon.answerPage(),
  fail: (daemon: ModelDaemon, n: number) => daemon.failWatch(n % 2 === 0 ? undefined : n * 100),
  failPage: (daemon: ModelDaemon, n: number) => daemon.failPage(n % 2 === 0 ? undefined : n * 100),
  damage: (daemon: ModelDaemon, n: number) =>
    daemon.damage({ kind: KINDS[n % KINDS.length] ?? 'cut', at: n * 7_919, amount: 1 + (n % 251) }, 1 + (n % 4)),
  end: (daemon: ModelDaemon, n: number) => daemon.endWatch(ENDINGS[n % ENDINGS.length] ?? 'early'),
  repeat: (daemon: ModelDaemon, n: number) => daemon.repeat(1 + (n % 4)),
  crash: (daemon: ModelDaemon, n: number) => daemon.crash(n % 4),
  flush: (daemon: ModelDaemon) => daemon.flush(),
  silence: (daemon: ModelDaemon, n: number) => {
    daemon.silent = n % 2 === 0;
  },
  hide: ({ server }: ModelDaemon, n: number) => server.write(NAMES[n % NAMES.length] ?? 'a', true),
  audit: (daemon: ModelDaemon) => daemon.audit(),
  answerAudit: (daemon: ModelDaemon) => daemon.answerAudit(),
  failAudit: (daemon: ModelDaemon, n: number) => daemon.failAudit(n % 2 === 0 ? undefined : n * 100),
  restore: (daemon: ModelDaemon, n: number) => restore(daemon, 1 + (n % 10)),
  restoreUnseen: (daemon: ModelDaemon, n: number) => restoreUnseen(daemon, 1 + (n % 10)),
  overtake: ({ server }: ModelDaemon, n: number) => overtake(server, 1 + (n % 10)),
};

/** A restore that the next probe sees, for it goes below the checkpoint. */
function restore(daemon: ModelDaemon, back: number): void {
  daemon.flush();
  const checkpoint = checkpointOf(daemon.state.stream);
  if (checkpoint === undefined) return;
  const to = Number(checkpoint) - back;
  if (to <= daemon.server.first) return;
  daemon.server.restore(daemon.server.revision - to);
  daemon.failWatch();
  for (let turn = 0; turn < 4 && daemon.state.phase !== 'relisting' && daemon.state.phase !== 'watching'; turn += 1) {
    daemon.answerWatch(1);
  }
  daemon.flush();
}

/** A restore that no probe can see, for it does not reach down to the checkpoint. */
function restoreUnseen(daemon: ModelDaemon, back: number): void {
  const checkpoint = checkpointOf(daemon.state.stream);
  if (checkpoint === undefined || daemon.server.revision - back < Number(checkpoint)) return;
  daemon.server.restore(back);
  daemon.failWatch();
}

/** The cluster is restored, and past where it was before anybody asks. */
function overtake(server: ModelServer, back: number): void {
  const { revision } = server;
  server.restore(back);
  while (server.revision <= revision) server.write(NAMES[(server.revision * 3) % NAMES.length] ?? 'a');
}

function play({ first, actions }: History): ModelDaemon {
  const daemon = new ModelDaemon(new ModelServer(first));
  for (const [name, amount] of actions) ACTIONS[name](daemon, amount);
  settle(daemon);
  // What is hidden lies below the checkpoint when a watch that was opened behind it has come to its end.
  for (let watches = 0; watches < 2; watches += 1) {
    daemon.endWatch('timeout');
    settle(daemon);
  }
  daemon.audit();
  settle(daemon);
  return daemon;
}

function settle(daemon: ModelDaemon): void {
  for (let turn = 0; !daemon.quiet; turn += 1) {
    if (turn > 200) throw new Error(`it never comes to rest: ${JSON.stringify(daemon.state)}`);
    daemon.answerWatch(10);
    daemon.answerPage();
    daemon.answerAudit();
  }
  daemon.flush();
}

const names = Object.keys(ACTIONS) as (keyof typeof ACTIONS)[];
const honest = names.filter((name) => name !== 'hide' && name !== 'overtake' && name !== 'restoreUnseen');
const calm = honest.filter((name) => name !== 'restore');

function histories(of: readonly (keyof typeof ACTIONS)[]) {
  const often: readonly (keyof typeof ACTIONS)[] = [
    'write',
    'write',
    'answer',
    'answer',
    'answer',
    'page',
    'page',
    'flush',
  ];
  const action = fc.tuple(fc.constantFrom(...often, ...of), fc.nat(10_000));
  return fc.record({
    first: fc.constantFrom(3, 90, 985),
    actions: fc.array(action, { minLength: 5, maxLength: 120, size: 'max' }),
  });
}

/** By a gap record of its history, which begins with what a restore has announced. */
function covered({ journal }: ModelDaemon, rv: number): boolean {
  const gaps = journal.gaps.map(({ gap }) => gap);
  const restored = gaps.findLastIndex(({ cause }) => cause === 'restored');
  return gaps
    .slice(Math.max(0, restored))
    .some(({ cause, from, to }) => (cause === 'restored' || Number(from ?? 0) < rv) && rv <= Number(to));
}

it('delivers the last revision of every live Event in the end, through restores too', () => {
  fc.assert(
    fc.property(histories(honest), (history) => {
      const daemon = play(history);
      const readable = daemon.readable();
      const live = [...daemon.server.live(daemon.server.revision).values()].map(contentOf);
      expect(live.filter((content) => !readable.has(content))).toEqual([]);
    }),
    { numRuns: HISTORIES },
  );
});

it('finds the last revision of every live Event, hidden from the watch or of a restore that nobody saw, and nothing twice', () => {
  fc.assert(
    fc.property(histories(names), (history) => {
      const daemon = play(history);
      const readable = daemon.readableIds();
      const live = [...daemon.server.live(daemon.server.revision).values()].map(idOf);
      expect(live.filter((id) => !readable.has(id))).toEqual([]);
    }),
    { numRuns: HISTORIES },
  );
});

it('audits what a watch has told and finds nothing', () => {
  fc.assert(
    fc.property(histories(honest), (history) => {
      expect(play(history).found).toBe(0);
    }),
    { numRuns: HISTORIES / 2 },
  );
});

it('finds what a restore that no probe could see has brought back, behind a list that had passed it over', () => {
  const writes: readonly Action[] = [
    ['write', 0],
    ['write', 5],
    ['write', 1],
  ];
  const listed: readonly Action[] = [
    ['answer', 0],
    ['answer', 0],
    ['write', 0],
    ['compact', 0],
    ['write', 5],
    ['page', 0],
    ['page', 0],
    ['flush', 0],
  ];
  const daemon = play({ first: 3, actions: [...writes, ...listed, ['restoreUnseen', 0], ['write', 0]] });
  expect(daemon.found).toBe(1);
  expect(daemon.readableIds()).toContain('f2.5');
});

it('misses no revision since the first list that a gap record does not cover, through restores too', () => {
  fc.assert(
    fc.property(histories(honest), fc.nat(3), ({ first, actions }, early) => {
      const before: Action[] = Array.from({ length: early }, (_, index) => ['write', index]);
      const daemon = play({ first, actions: [...before, ['answer', 0], ['answer', 0], ['flush', 0], ...actions] });
      const readable = daemon.readable();
      const missing = daemon.server.writes.filter(
        (write) => write.type !== 'DELETED' && !readable.has(contentOf(write)),
      );
      expect(missing.filter(({ rv }) => !covered(daemon, rv))).toEqual([]);
    }),
    { numRuns: HISTORIES },
  );
});

it('announces a gap only when the API server has said that history is gone', () => {
  fc.assert(
    fc.property(histories(calm), (history) => {
      const daemon = play(history);
      expect(daemon.journal.gaps.length).toBeLessThanOrEqual(daemon.expiries);
    }),
    { numRuns: HISTORIES / 2 },
  );
});
