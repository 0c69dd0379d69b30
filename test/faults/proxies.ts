/** The shared brokers behind a proxy, which breaks the daemon's connections to them and nobody else's. */

import type { ToxicProxy } from '../backends/toxiproxy.ts';
import { PUBSUB_PROJECT } from '../main-job/subscribers.ts';
import { type Broker, type BrokerName, brokerOf } from './brokers.ts';
import type { World } from './world.ts';

/** `broker` is the entry of the config that leads through the proxy. */
function behind(broker: Broker, { proxy, entry, breaks }: { proxy: ToxicProxy; entry: object; breaks: Break }): Broker {
  return {
    ...broker,
    subscriber: async () => ({ ...(await broker.subscriber()), broker: entry }),
    outage: { begin: () => breaks(proxy), end: () => proxy.mend() },
    [Symbol.asyncDispose]: () => proxy.mend(),
  };
}

type Break = (proxy: ToxicProxy) => Promise<void>;

export function proxiedBrokers(breaks: Break): Readonly<Record<BrokerName, (world: World) => Promise<Broker>>> {
  return {
    async kafka(world) {
      const backend = await world.kafka();
      const proxy = await world.kafkaProxy();
      return behind(brokerOf.kafka(backend), {
        proxy,
        breaks,
        entry: { kafka: { bootstrap: [`127.0.0.1:${proxy.port}`] } },
      });
    },
    async mqtt(world) {
      const backend = await world.mqtt();
      const proxy = await (await world.toxiproxy()).before(new URL(backend.address.url).host);
      return behind(brokerOf.mqtt(backend), {
        proxy,
        breaks,
        entry: { mqtt: { url: `mqtt://127.0.0.1:${proxy.port}` } },
      });
    },
    async nats(world) {
      const backend = await world.nats();
      const proxy = await (await world.toxiproxy()).before(new URL(backend.address.url).host);
      return behind(brokerOf.nats(backend), {
        proxy,
        breaks,
        entry: { nats: { servers: [`nats://127.0.0.1:${proxy.port}`] } },
      });
    },
    async pubsub(world) {
      const backend = await world.pubsub();
      const proxy = await (await world.toxiproxy()).before(backend.address.endpoint);
      const entry = { pubsub: { projectId: PUBSUB_PROJECT, endpoint: `http://127.0.0.1:${proxy.port}` } };
      return behind(brokerOf.pubsub(backend), { proxy, breaks, entry });
    },
  };
}
