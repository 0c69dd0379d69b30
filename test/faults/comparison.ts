/** What a fault costs those that it does not hit: measured with it and without, in turn, by the journal's own times. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outage } from './brokers.ts';
import { type Delivery, p99, readDeliveries, spansOf } from './deliveries.ts';
import type { Scene } from './scene.ts';

/** The same before and after: a machine that gets faster or slower meanwhile is then neither's gain. */
const TURNS = ['whole', 'broken', 'broken', 'whole'] as const;
/** Revisions that go before all of it: what a daemon needs to get warm belongs to neither. */
const WARM = 1_500;
/** Revisions that go before each span: a load that begins, and an outage that is noticed, are no part of it. */
const STEADY = 600;
/** What a machine that does other things too makes of nothing. */
const NOISE = { ratio: 3, ms: 250 };

/** Without the outage and with it, each for as long, and each begun in the same way: in silence, with nothing waiting. */
export async function alternately(scene: Scene, { begin, end }: Outage): Promise<void> {
  await scene.written(WARM);
  for (const what of TURNS) {
    await scene.rest();
    await drained(scene);
    if (what === 'broken') await begin();
    scene.write();
    await scene.written(STEADY);
    scene.mark(what);
    await sleep(scene.quick ? 5_000 : 150_000);
    scene.mark('over');
    if (what === 'broken') await end();
  }
  await scene.rest();
  await drained(scene);
}

/** Settles when the daemon says, from now on, that next to nothing waits. */
async function drained(scene: Scene): Promise<void> {
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
