/** What goes wrong in a soak. Each is whole again when its function settles, also when the signal aborts. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Program } from '../backends/process.ts';
import type { Random } from '../faults/random.ts';
import { watching } from '../main-job/daemon-process.ts';
import type { Stage } from './stage.ts';

export interface SoakFault {
  readonly name: string;
  readonly inject: (stage: Stage, random: Random, signal: AbortSignal) => Promise<void>;
}

export const KILLED: SoakFault = {
  name: 'daemon: killed',
  inject: async ({ daemon, metricsPort }, random, signal) => {
    await daemon.kill();
    await wait(random.between(0, 3_000), signal);
    await daemon.start();
    await watching(metricsPort);
  },
};

export const FAULTS: readonly SoakFault[] = [
  ofApiServer('API server: watch cut within a line', (random) => [['cut', { byte: random.between(0, 3_000) }]]),
  ofApiServer('API server: watch closed', () => [['close-watches', {}]]),
  ofApiServer('API server: too old', (random) => [
    ['expire', { form: random.pick(['http', 'line', 'silent']), requests: random.between(1, 3) }],
    ['close-watches', {}],
  ]),
  ofApiServer('API server: 429 with Retry-After', (random) => [
    ['answer', { code: 429, retryAfterSeconds: random.between(1, 3), requests: random.between(1, 5) }],
    ['close-watches', {}],
  ]),
  ofApiServer('API server: storm of 5xx', (random) => [
    ['answer', { code: random.pick([500, 503, 504]), requests: random.between(1, 8) }],
    ['close-watches', {}],
  ]),
  ofApiServer('API server: garbage', (random) => [['garbage', random.next() < 0.5 ? {} : { line: '\u0000' }]]),
  ofApiServer('API server: compacted', () => [
    ['compact', {}],
    ['cut', { byte: 0 }],
  ]),
  { name: 'API server: frozen', inject: ({ simulator }, random, signal) => freeze(simulator, random, signal) },
  { name: 'NATS: frozen', inject: ({ nats }, random, signal) => freeze(nats, random, signal) },
  {
    name: 'NATS: killed',
    inject: async ({ nats }, random, signal) => {
      await nats.kill();
      await wait(random.between(0, 5_000), signal);
      await nats.start();
    },
  },
  { name: 'Mosquitto: frozen', inject: ({ mosquitto }, random, signal) => freeze(mosquitto, random, signal) },
  {
    // Killed, it would forget what it has acknowledged within the last second.
    name: 'Mosquitto: restarted',
    inject: async ({ mosquitto }, random, signal) => {
      await mosquitto.stop();
      await wait(random.between(0, 5_000), signal);
      await mosquitto.start();
    },
  },
  { name: 'daemon: frozen', inject: ({ daemon }, random, signal) => freeze(daemon, random, signal) },
  KILLED,
];

type Order = readonly [name: string, body: object];

function ofApiServer(name: string, orders: (random: Random) => readonly Order[]): SoakFault {
  return {
    name,
    async inject({ server }, random) {
      for (const [order, body] of orders(random)) {
        const headers = { 'content-type': 'application/json' };
        const asked = { method: 'POST', headers, body: JSON.stringify(body) };
        const answer = await fetch(`${server}/faults/${order}`, asked);
        if (!answer.ok) throw new Error(`the simulated API server refuses ${order}: ${await answer.text()}`);
        await answer.body?.cancel();
      }
    },
  };
}

async function freeze(program: Program, random: Random, signal: AbortSignal): Promise<void> {
  program.pause();
  await wait(random.between(1_000, 10_000), signal);
  program.resume();
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

/** One after the other for ever: each once, then all again in another order. So the daemon is seldom the one killed. */
export function* drawn(random: Random): Generator<SoakFault> {
  for (;;) yield* random.shuffled(FAULTS);
}
