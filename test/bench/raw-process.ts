/** A raw client as a process of its own: it publishes as fast as it can, or at a constant rate. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Message } from '../../src/adapter.ts';
import { serve } from './peer.ts';
import type { Pace, RawClient } from './raw/client.ts';
import { rawKafka } from './raw/kafka.ts';
import { rawMqtt } from './raw/mqtt.ts';
import { rawNats } from './raw/nats.ts';
import { rawPlatformatic } from './raw/platformatic.ts';
import { poolOf } from './raw/pool.ts';
import { rawPubSub } from './raw/pubsub.ts';

/** Where a client connects to, and what it publishes into. */
export interface RawSpec extends Pace {
  readonly client: keyof typeof CLIENTS;
  readonly address: string;
  readonly destination: string;
  readonly objects: number;
  readonly bytes: number;
}

export interface RawReport {
  readonly seconds: number;
  /** Microseconds of the CPU, of the whole process. */
  readonly cpuMicros: number;
}

export const PUBSUB_PROJECT = 'bench';

const CLIENTS = {
  kafkajs: rawKafka,
  '@platformatic/kafka': rawPlatformatic,
  'mqtt.js': rawMqtt,
  'nats.js': rawNats,
  '@google-cloud/pubsub': (endpoint: string, topic: string) => rawPubSub(endpoint, PUBSUB_PROJECT, topic),
};

let client: RawClient | undefined;
let pool: readonly Message[] = [];
let pace: Pace = { batch: 1, underWay: 1 };

const calls = {
  open: async (spec: RawSpec) => {
    pool = await poolOf(spec.objects, spec.bytes);
    pace = spec;
    client = await CLIENTS[spec.client](spec.address, spec.destination);
  },

  publish: async ({ count, perSecond }: { count: number; perSecond?: number }): Promise<RawReport> => {
    const raw = client;
    if (raw === undefined) throw new Error('it is not open');
    const [began, used] = [performance.now(), process.cpuUsage()];
    let taken = 0;
    const keepBusy = async () => {
      while (taken < count) {
        const from = taken;
        taken += Math.min(pace.batch, count - from);
        const due = perSecond === undefined ? 0 : began + (taken / perSecond) * 1_000 - performance.now();
        if (due > 0) await sleep(due);
        const places = Array.from({ length: taken - from }, (_, at) => (from + at) % pool.length);
        await raw.send(places.flatMap((place) => pool[place] ?? []));
      }
    };
    await Promise.all(Array.from({ length: pace.underWay }, keepBusy));
    const { user, system } = process.cpuUsage(used);
    return { seconds: (performance.now() - began) / 1_000, cpuMicros: user + system };
  },
};

export type RawCalls = typeof calls;

serve(calls);
