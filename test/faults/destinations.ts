/**
 * Several destinations of one broker for one route, by what a message is about: some of them can be forbidden to the
 * daemon, or be gone, while the others take what comes.
 */
import { randomUUID } from 'node:crypto';
import { PubSub } from '@google-cloud/pubsub';
import kafkajs from 'kafkajs';
import { natsReady } from '../backends/nats.ts';
import { type Program, until } from '../backends/process.ts';
import { NatsWire } from '../contract/nats-wire.ts';
import type { Seen } from '../main-job/seen.ts';
import {
  kafkaSubscriber,
  mqttSession,
  natsSubscriber,
  type Place,
  PUBSUB_PROJECT,
  pubSubSubscriber,
  type Subscriber,
} from '../main-job/subscribers.ts';
import type { Broker, BrokerName } from './brokers.ts';
import type { World } from './world.ts';

export interface Split {
  /** What the destinations' names end in. */
  readonly names: readonly string[];
  /** Gives one of the names: CEL, as it stands between the braces of a destination. */
  readonly by: string;
  /** Those of the names that the outage hits; none unless given. */
  readonly hit?: readonly string[];
  readonly how?: 'forbidden' | 'gone';
  /** Bytes of a message that the broker takes, without telling the daemon, where it has such a limit. */
  readonly limit?: number;
}

/** What one broker brings. */
interface Land {
  readonly name: BrokerName;
  readonly program: Program;
  /** For a destination whose name ends in that. */
  place(ending: string): Omit<Place, 'route'>;
  /** Makes the destination. */
  create(ending: string): Promise<Subscriber>;
  /** Unmakes it. */
  remove?(ending: string): Promise<void>;
  /** The daemon may publish to all but these from now on. */
  forbid(endings: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel } = kafkajs;
const { LITERAL } = kafkajs.ResourcePatternTypes;

type Start = (world: World) => Promise<Broker>;

export function splitBrokers(split: Split): Readonly<Record<BrokerName, Start>> {
  const start = (land: (world: World, split: Split) => Promise<Land>) => async (world: World) =>
    brokerOf(await land(world, split), split);
  return { kafka: start(kafkaLand), mqtt: start(mqttLand), nats: start(natsLand), pubsub: start(pubSubLand) };
}

function brokerOf(land: Land, { names, by, hit = [], how }: Split): Broker {
  const { name, program } = land;
  const ends = new Map(names.map((ending) => [ending, new Destination(land, ending)]));
  const all = [...ends.values()];
  const hitOnes = hit.flatMap((ending) => ends.get(ending) ?? []);
  return {
    name,
    program,
    async subscriber() {
      for (const one of all) await one.create();
      return {
        route: name,
        ...land.place(`{${by}}`),
        seen: async () => (await Promise.all(all.map((one) => one.seen()))).flat(),
        async [Symbol.asyncDispose]() {
          for (const one of all) await one[Symbol.asyncDispose]();
        },
      };
    },
    outage: {
      async begin() {
        if (how === 'forbidden') await land.forbid(hit);
        else for (const one of hitOnes) await one.remove();
      },
      async end() {
        if (how === 'forbidden') await land.forbid([]);
        else for (const one of hitOnes) await one.create();
      },
    },
    [Symbol.asyncDispose]: () => land.close(),
  };
}

/** It can go and come again; what was read before it went is kept. */
class Destination implements AsyncDisposable {
  readonly #land: Land;
  readonly #ending: string;
  readonly #kept: Seen[] = [];
  #subscriber: Subscriber | undefined;

  constructor(land: Land, ending: string) {
    this.#land = land;
    this.#ending = ending;
  }

  async create(): Promise<void> {
    this.#subscriber ??= await this.#land.create(this.#ending);
  }

  async remove(): Promise<void> {
    if (this.#land.remove === undefined) throw new Error(`${this.#land.name} has no destinations that could be gone`);
    const subscriber = this.#subscriber;
    this.#subscriber = undefined;
    this.#kept.push(...((await subscriber?.seen()) ?? []));
    await this.#land.remove(this.#ending);
    await subscriber?.[Symbol.asyncDispose]();
  }

  async seen(): Promise<readonly Seen[]> {
    const now = (await this.#subscriber?.seen()) ?? [];
    return [...this.#kept, ...now].map((one) => ({ ...one, part: `${this.#ending} ${one.part}` }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#subscriber?.[Symbol.asyncDispose]();
  }
}

/** The daemon, which inherits our environment, takes a password from nowhere else. */
function secret(broker: BrokerName, text: string): { readonly env: string } {
  const env = `KUBE_FANOUT_FAULT_${broker.toUpperCase()}`;
  process.env[env] = text;
  return { env };
}

async function kafkaLand(world: World, { names, limit }: Split): Promise<Land> {
  const { program, address } = await world.kafka();
  const { sasl } = address;
  if (sasl === undefined) throw new Error('a Kafka without a login forbids nothing');
  const root = `split-${randomUUID()}`;
  const topic = (ending: string) => `${root}-${ending}`;
  const admin = new Kafka({ brokers: [address.bootstrap], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const { bootstrap, username, password } = sasl;
  const rule = { resourceType: AclResourceTypes.TOPIC, principal: `User:${username}`, host: '*' };
  const of = (ending: string) => ({ ...rule, resourceName: topic(ending), resourcePatternType: LITERAL });
  const allowDescribe = { operation: AclOperationTypes.DESCRIBE, permissionType: AclPermissionTypes.ALLOW };
  const allowWrite = { operation: AclOperationTypes.WRITE, permissionType: AclPermissionTypes.ALLOW };
  const denyWrite = { operation: AclOperationTypes.WRITE, permissionType: AclPermissionTypes.DENY };
  const any = { operation: AclOperationTypes.ANY, permissionType: AclPermissionTypes.ANY };
  return {
    name: 'kafka',
    program,
    place: (ending) => ({
      broker: { kafka: { bootstrap: [bootstrap], sasl: { plain: { username, password: secret('kafka', password) } } } },
      to: { topic: topic(ending) },
    }),
    async create(ending) {
      // One rule hides all that no rule allows: its configuration too.
      if (limit !== undefined)
        await admin.createAcls({ acl: [allowDescribe, allowWrite].map((one) => ({ ...of(ending), ...one })) });
      const config = limit === undefined ? {} : { 'max.message.bytes': String(limit) };
      return kafkaSubscriber(address, topic(ending), config);
    },
    remove: (ending) => admin.deleteTopics({ topics: [topic(ending)] }),
    async forbid(endings) {
      await admin.deleteAcls({ filters: names.map((one) => ({ ...of(one), ...any })) });
      const acl = endings.flatMap((ending) => [allowDescribe, denyWrite].map((one) => ({ ...of(ending), ...one })));
      if (acl.length > 0) await admin.createAcls({ acl });
    },
    close: () => admin.disconnect(),
  };
}

async function mqttLand(world: World, { names }: Split): Promise<Land> {
  const { program, address, allow } = await world.mqtt();
  const { login } = address;
  if (login === undefined) throw new Error('a Mosquitto without a login forbids nothing');
  const root = randomUUID();
  const [, username] = login.users;
  const forbid = (endings: readonly string[]) =>
    allow(['allowed/#', ...names.filter((one) => !endings.includes(one)).map((one) => `${root}/${one}`)]);
  await forbid([]);
  return {
    name: 'mqtt',
    program,
    place: (ending) => ({
      broker: { mqtt: { url: login.url, username, password: secret('mqtt', login.password) } },
      to: { topic: `${root}/${ending}` },
    }),
    create: (ending) => mqttSession(address, `${root}/${ending}`),
    forbid,
    close: () => allow(['allowed/#']),
  };
}

async function natsLand(world: World, { names }: Split): Promise<Land> {
  const { program, address, allow } = await world.nats();
  const { login } = address;
  if (login === undefined) throw new Error('a NATS without a login forbids nothing');
  const root = `SPLIT${randomUUID().replaceAll('-', '')}`;
  const [, username] = login.users;
  const forbid = (endings: readonly string[]) =>
    allow(['allowed.>', ...names.filter((one) => !endings.includes(one)).map((one) => `${root}_${one}.all`)]);
  await forbid([]);
  return {
    name: 'nats',
    program,
    place: (ending) => ({
      broker: { nats: { servers: [address.url], username, password: secret('nats', login.password) } },
      to: { subject: `${root}_${ending}.all` },
    }),
    async create(ending) {
      // JetStream is gone for a moment when the server reads its configuration again.
      await until(() => natsReady(address));
      return natsSubscriber(address, `${root}_${ending}`);
    },
    async remove(ending) {
      await using wire = await NatsWire.connect(address);
      await wire.jetStream(`STREAM.DELETE.${root}_${ending}`, {});
    },
    forbid,
    close: () => allow(['allowed.>']),
  };
}

async function pubSubLand(world: World, { names }: Split): Promise<Land> {
  const { program, address } = await world.pubsub();
  const root = `split-${randomUUID()}`;
  const clientOptions = { universeDomain: 'googleapis.com' };
  const sdk = new PubSub({
    projectId: PUBSUB_PROJECT,
    apiEndpoint: address.endpoint,
    emulatorMode: true,
    clientOptions,
  });
  const topic = (ending: string) => `${root}-${ending}`;
  const forbidden = (ending: string) => sdk.topic(`${topic(ending)}-fails-7`);
  return {
    name: 'pubsub',
    program,
    place: (ending) => ({
      broker: { pubsub: { projectId: PUBSUB_PROJECT, endpoint: `http://${address.endpoint}` } },
      to: { topic: topic(ending) },
    }),
    create: (ending) => pubSubSubscriber(address, topic(ending)),
    async remove(ending) {
      await sdk.topic(topic(ending)).delete();
    },
    async forbid(endings) {
      for (const name of names) {
        const [is] = await forbidden(name).exists();
        if (endings.includes(name) && !is) await forbidden(name).create();
        if (!endings.includes(name) && is) await forbidden(name).delete();
      }
    },
    close: () => sdk.close(),
  };
}
