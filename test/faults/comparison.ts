/** What a fault costs those that it does not hit: measured with it and without, in turn, by the journal's own times. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outage } from './brokers.ts';
import { type Delivery, p99, readDeliveries, spansOf } from './deliveries.ts';
import type { Scene } from './scene.ts';

const PAIRS = 2;
/** Revisions that go before. */
const WARM = 1_500;
/** What a machine that does other things too makes of nothing. */
const NOISE = { ratio: 3, ms: 250 };

/** Without the outage and with it, each for as long; what piles up and flows off in between is not measured. */
export async function alternately(scene: Scene, { begin, end }: Outage): Promise<void> {
  const ms = scene.quick ? 5_000 : 150_000;
  // What a daemon needs to get warm belongs to neither.
  await scene.written(WARM);
  await drained(scene);
  for (let pair = 0; pair < PAIRS; pair += 1) {
    scene.mark('whole');
    await sleep(ms);
    scene.mark('breaking');
    await begin();
    scene.mark('broken');
    await sleep(ms);
    scene.mark('mending');
    await end();
    await drained(scene);
  }
}

/** Settles when the daemon says, from now on, that next to nothing waits. */
export async function drained(scene: Scene): Promise<void> {
  const began = Date.now();
  for (;;) {
    const last = scene.scraper.scrapes.at(-1);
    const counters = [...(last?.routes.values() ?? [])];
    const empty = counters.length > 0 && counters.every(({ pending, lag }) => pending === 0 && lag < 100);
    if (empty && last !== undefined && last.at > began) return;
    await sleep(100);
  }
}

/** Notes for each route the 99th percentile of what is not hit, and its ratio to that without the fault. */
export async function compare(scene: Scene, isHit: (delivery: Delivery) => boolean): Promise<readonly string[]> {
  const deliveries = (await readDeliveries(scene.journal)).filter((one) => !isHit(one));
  return scene.brokers.flatMap(({ name }) => {
    const its = deliveries.filter(({ route }) => route === name);
    if (its.length === 0) return [];
    const whole = p99(its, spansOf(scene.moments, 'whole'));
    const broken = p99(its, spansOf(scene.moments, 'broken'));
    const note = `p99 ${broken} ms, without the fault ${whole} ms: ${(broken / whole).toFixed(2)}`;
    scene.notes.set(name, note);
    const noise = broken < NOISE.ratio * whole || broken - whole < NOISE.ms;
    return noise ? [] : [`what a fault does not hit is as fast as without it, but ${name} was not: ${note}`];
  });
}
