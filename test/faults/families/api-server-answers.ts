/** The API server says no for a while, or that the history is gone, in every form in which it can say so. */
import { setTimeout as sleep } from 'node:timers/promises';
import { compact, etcdPutAll } from '../../backends/etcd.ts';
import { storedEvents } from '../../backends/events.ts';
import { until, watching } from '../../main-job/daemon-process.ts';
import { type Answer, byLine, type Question, type Tap } from '../../main-job/tap.ts';
import type { Fault } from '../fault.ts';
import { note, tapped } from '../fronts.ts';
import type { Scene } from '../scene.ts';

const BROKERS = ['mqtt', 'nats'] as const;

function statusOf(code: number, reason: string, message: string): string {
  return JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, message });
}

function refusal(code: number, reason: string, headers: Answer['headers'] = {}): Answer {
  return { status: code, headers, body: statusOf(code, reason, 'said by a test') };
}

/** Longer than the daemon waits by itself after a first failure. */
const WAIT_MS = 3_000;
const TOO_MANY = refusal(429, 'TooManyRequests', { 'retry-after': String(WAIT_MS / 1_000) });
/** Not every proxy on the way speaks JSON. */
const AWAY: Answer = { status: 503, headers: { 'content-type': 'text/html' }, body: '<h1>503 upstream is away</h1>' };
const REFUSALS = [refusal(401, 'Unauthorized'), refusal(500, 'InternalError'), AWAY] as const;
const GONE: Answer = { status: 410, body: statusOf(410, 'Expired', 'too old resource version: 1 (2)') };
const QUESTIONS = ['probe', 'page', 'watch'] as const;

/**
 * A question of this kind gets this answer, more than once. That it is asked sees to it: the watches end, and pages are
 * asked for since the next watch is told that its history is gone. Gives when it was asked, in milliseconds.
 */
async function storm(scene: Scene, tap: Tap, { of, answer }: { of: Question; answer: Answer }): Promise<number[]> {
  await watching(scene.metricsPort);
  await scene.written(50);
  const asked: number[] = [];
  tap.instead = (question) => {
    if (question !== of) return of === 'page' && question === 'watch' ? GONE : undefined;
    asked.push(performance.now());
    return answer;
  };
  tap.cutWatches();
  await until(`the daemon asks for a ${of} again`, () => asked.length > 1);
  if (!scene.quick) await sleep(30_000);
  tap.instead = () => undefined;
  return asked;
}

/** One way to say 410. */
type Form = (tap: Tap) => Promise<void> | void;

/** The lines of a live watch come to this one. */
const inTheLine = (status: string) => (tap: Tap) => {
  let pending = true;
  tap.meddle = byLine((line) => {
    if (!pending) return [line];
    pending = false;
    return [line, `{"type":"ERROR","object":${status}}`];
  });
  tap.endWatches();
};

/** The next `times` watches get this answer. */
const insteadOfWatches = (answer: Answer, times: number) => (tap: Tap) => {
  let left = times;
  tap.instead = (question) => {
    if (question !== 'watch' || left === 0) return undefined;
    left -= 1;
    return answer;
  };
  tap.cutWatches();
};

const FORMS: readonly Form[] = [
  insteadOfWatches(GONE, 1),
  insteadOfWatches({ status: 410, body: statusOf(410, 'Gone', 'gone') }, 1),
  // etcd's own words have come through, and so has nothing at all.
  insteadOfWatches(
    { status: 500, body: statusOf(500, '', 'etcdserver: mvcc: required revision has been compacted') },
    1,
  ),
  insteadOfWatches({ status: 200, body: '' }, 3),
  inTheLine(GONE.body),
  inTheLine(statusOf(500, 'InternalError', 'etcdserver: mvcc: required revision has been compacted')),
];

/** The watch is cut, and what is written until it is back is compacted. */
async function compacted(scene: Scene, tap: Tap, andThen: Tap['instead'] = () => undefined): Promise<void> {
  await watching(scene.metricsPort);
  await scene.written(200);
  tap.instead = () => AWAY;
  tap.cutWatches();
  await scene.written(200);
  await compact(scene.kube.address);
  tap.instead = andThen;
}

/** Settles when `make` has made the daemon list. */
async function lists(tap: Tap, make: () => Promise<void> | void): Promise<void> {
  const before = tap.lists;
  await make();
  await until('the daemon lists', () => tap.lists > before);
}

function throttled(): Fault {
  let waits: number[] = [];
  return tapped({
    name: 'API server: answers 429, with Retry-After',
    brokers: BROKERS,
    scene: { emptyKube: true },
    async inject(scene, tap) {
      waits = [];
      for (let round = 0; round < (scene.quick ? 1 : 5); round += 1) {
        for (const of of scene.random.shuffled(QUESTIONS)) {
          const asked = await storm(scene, tap, { of, answer: TOO_MANY });
          waits.push(...asked.slice(1).map((at, i) => at - (asked[i] ?? 0)));
        }
      }
      await watching(scene.metricsPort);
      await scene.written(300);
      note(scene, `asked again after ${Math.round(Math.min(...waits))} ms at the earliest`);
    },
    judge: () => {
      const early = waits.filter((ms) => ms < WAIT_MS - 50);
      return early.length === 0 ? [] : [`Retry-After is honoured, but ${early.length} questions came sooner`];
    },
  });
}

export const API_SERVER_ANSWERS: readonly Fault[] = [
  throttled(),
  tapped({
    name: 'API server: answers 401, 500 and 503',
    brokers: BROKERS,
    scene: { emptyKube: true },
    async inject(scene, tap) {
      for (let round = 0; round < (scene.quick ? 1 : 5); round += 1) {
        const questions = scene.random.shuffled(QUESTIONS);
        for (const answer of REFUSALS) await storm(scene, tap, { answer, of: questions.pop() ?? 'watch' });
      }
      await watching(scene.metricsPort);
      await scene.written(300);
    },
  }),
  tapped({
    name: 'API server: 410 in each of its forms',
    brokers: BROKERS,
    scene: { emptyKube: true },
    async inject(scene, tap) {
      for (let round = 0; round < (scene.quick ? 1 : 10); round += 1) {
        for (const form of scene.random.shuffled(FORMS)) {
          await watching(scene.metricsPort);
          await scene.written(100);
          await lists(tap, () => form(tap));
        }
      }
      await watching(scene.metricsPort);
      await scene.written(300);
      note(scene, `${tap.lists} lists`);
    },
  }),
  tapped({
    name: 'API server: history compacted while the watch is cut',
    brokers: BROKERS,
    scene: { emptyKube: true },
    async inject(scene, tap) {
      for (let round = 0; round < (scene.quick ? 3 : 30); round += 1) {
        await lists(tap, () => compacted(scene, tap));
      }
      await watching(scene.metricsPort);
      await scene.written(300);
    },
  }),
  tapped({
    name: 'API server: history compacted between the pages of a list',
    brokers: BROKERS,
    scene: { emptyKube: true },
    async inject(scene, tap) {
      await etcdPutAll(scene.kube.address, storedEvents(scene.namespace, 2_000));
      for (let round = 0; round < (scene.quick ? 2 : 20); round += 1) {
        const presents = tap.presents.length;
        await compacted(scene, tap, async (question) => {
          if (question === 'page') await compact(scene.kube.address);
          return undefined;
        });
        await until('pages come from the present', () => tap.presents.length > presents);
      }
      tap.instead = () => undefined;
      await watching(scene.metricsPort);
      await scene.written(300);
      note(scene, `${tap.presents.length} of ${tap.pages} pages from the present`);
    },
  }),
];
