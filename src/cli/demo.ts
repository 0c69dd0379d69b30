/**
 * The whole thing on one machine: a simulated cluster, the real daemon in its own process, and a subscriber that knows
 * nothing but MQTT. What it got is held against what the cluster wrote, so the demo is a proof as well.
 */
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { styleText } from 'node:util';
import { type SubscribedEvent, subscribe } from '../../adapters/mqtt-subscriber.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import { type DemoDaemon, freePort, startDemoDaemon } from './demo-daemon.ts';
import { type DemoResult, Scoreboard } from './demo-score.ts';
import { EXIT, Exit, type ExitCode } from './exit-codes.ts';
import type { StopSignals } from './stop-signals.ts';
import type { Terminal } from './terminal.ts';

export interface DemoOptions {
  readonly forSeconds: number | undefined;
  /** Events a second; without it, what happens in a cluster now and then. */
  readonly rate: number | undefined;
  readonly port: number;
  readonly json: boolean;
}

/** How long the daemon may take to serve MQTT; one that dies is noticed at once. */
const START_MS = 60_000;
/** How long what is under way at the end may take to arrive. */
const DRAIN_MS = 30_000;
const STORY = ['deploy', 'image-pull', 'crashloop', 'oom', 'node-lost'];

export async function demo(options: DemoOptions, terminal: Terminal, signals: StopSignals): Promise<ExitCode> {
  const stop = AbortSignal.any([signals.stop, readerGone()]);
  await using stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-demo-')));
  const simulator = stack.use(await startSimulator());
  const port = await freePort(options.port);
  const daemon = stack.use(await startDemoDaemon({ directory, server: simulator.address, port }));
  if (!options.json) introduce(terminal, { simulator, port, wanted: options.port });
  const score = new Scoreboard();
  const onEvent = (event: SubscribedEvent, topic: string) => {
    score.arrived(event, performance.timeOrigin + performance.now());
    if (!options.json) process.stdout.write(`${lineOf(event, topic)}\n`);
  };
  const ready = AbortSignal.any([stop, daemon.died, AbortSignal.timeout(START_MS)]);
  const subscriber = await subscribe({ port, onEvent }, ready).catch(async (error) => {
    if (!stop.aborted) await failed(daemon, error);
  });
  if (subscriber === undefined) return EXIT.ok;
  stack.use(subscriber);
  await emit(simulator, options, AbortSignal.any([stop, daemon.died]));
  await complete(simulator, score, daemon.died);
  if (daemon.died.aborted) await failed(daemon, new Error('the daemon has ended'));
  const result = score.result(simulator.emitted, await daemon.residentMiB());
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else terminal.say(`\n${sentence(result)}`);
  return result.missing === 0 && result.outOfOrder === 0 ? EXIT.ok : EXIT.failed;
}

/** Aborts when nobody reads standard output any more, such as `head` that has had its lines: that is an end as asked. */
function readerGone(): AbortSignal {
  const gone = new AbortController();
  process.stdout.on('error', () => gone.abort());
  return gone.signal;
}

async function failed(daemon: DemoDaemon, error: Error): Promise<never> {
  throw new Exit(EXIT.cannotRun, `${error.message}. The daemon's last words:\n${await daemon.lastWords()}`, {
    cause: error,
  });
}

async function emit(simulator: Simulator, { rate, forSeconds }: DemoOptions, signal: AbortSignal): Promise<void> {
  if (rate !== undefined) {
    await simulator.load({ rate, objects: 500, ...(forSeconds !== undefined && { forSeconds }), signal });
    return;
  }
  const over = forSeconds === undefined ? [] : [AbortSignal.timeout(forSeconds * 1000)];
  const until = AbortSignal.any([signal, ...over]);
  while (!until.aborted) {
    for (const scenario of STORY) await simulator.play(scenario, { signal: until });
  }
}

/** Waits until as much has arrived as was written, or no longer. */
async function complete(simulator: Simulator, score: Scoreboard, died: AbortSignal): Promise<void> {
  const deadline = Date.now() + DRAIN_MS;
  while (score.delivered < simulator.emitted.count && Date.now() < deadline && !died.aborted) await wait(20);
}

function introduce(
  terminal: Terminal,
  { simulator, port, wanted }: { simulator: Simulator; port: number; wanted: number },
): void {
  if (port !== wanted && wanted !== 0) terminal.say(`Port ${wanted} is taken: the broker listens on ${port} instead.`);
  terminal.say(`A simulated cluster  →  kube-fanout  →  an MQTT broker on this machine  →  this terminal

  Subscribe from another one:  mosquitto_sub -h 127.0.0.1 -p ${port} -t 'k8s/#' -v
  Make something happen:       curl -X POST ${simulator.address}/scenarios/crashloop
  Leave:                       Ctrl-C
`);
}

/** The topic, how bad, what about, what it says. */
function lineOf({ data: { type, regarding, note, count } }: SubscribedEvent, topic: string): string {
  const text = note.replace(/\p{Cc}/gu, ' ').slice(0, 100);
  const times = count > 1 ? ` (${count} times)` : '';
  const line = `${topic.padEnd(40)} ${regarding.kind.toLowerCase()}/${regarding.name}: ${text}${times}`;
  return type === 'Warning' ? styleText('yellow', line, { stream: process.stdout }) : line;
}

function sentence({ emitted, delivered, missing, duplicates, outOfOrder, latencyMs, rssMiB }: DemoResult): string {
  return `The cluster wrote ${emitted} revisions of Events; the subscriber got ${delivered}: ${missing} missing, ${duplicates} twice, \
${outOfOrder} out of order, half of them within ${latencyMs.p50} ms, 99 of 100 within ${latencyMs.p99} ms. The daemon takes ${rssMiB} MiB.`;
}
