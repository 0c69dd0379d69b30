import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { adapterTypes } from '../../adapters/registry.ts';
import { loadConfig } from '../../src/config/load.ts';
import { documentsOf, textOf } from './files.ts';

const Service = z.looseObject({
  image: z.string(),
  profiles: z.array(z.string()).default([]),
  command: z.array(z.string()).optional(),
  ports: z.array(z.string()).default([]),
  healthcheck: z.looseObject({ test: z.array(z.string()) }).optional(),
  depends_on: z
    .record(z.string(), z.object({ condition: z.string(), required: z.boolean().default(true) }))
    .default({}),
});
const Compose = z.looseObject({ services: z.record(z.string(), Service) });
const { services } = Compose.parse(documentsOf('docker-compose.yml')[0]);
const names = Object.keys(services);
const oneShots = names.filter((name) => services[name]?.healthcheck === undefined);

const config = z
  .looseObject({
    source: z.object({ kubernetes: z.object({ server: z.string() }) }),
    brokers: z.record(z.string(), z.unknown()),
    routes: z.array(z.object({ to: z.record(z.string(), z.string()) })),
  })
  .parse(documentsOf('config/compose.yaml')[0]);

describe.each(names)('the compose service %s', (name) => {
  const service = Service.parse(services[name]);

  test('takes its image from a variable, with a default', () => {
    expect(service.image).toMatch(/^\$\{[A-Z_]+_IMAGE:-[^}]+\}$/);
  });

  test('is reached from this machine only, on a port that a variable can change', () => {
    for (const port of service.ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{[A-Z_]+_PORT:-\d+\}:\d+$/);
  });

  test('has a health check, or is a one-shot whose end the daemon waits for, as `up --wait` needs', () => {
    if (service.healthcheck !== undefined) return;
    expect(services.daemon?.depends_on[name]).toEqual({
      condition: 'service_completed_successfully',
      required: service.profiles.length === 0,
    });
  });

  test('starts with everything, and with its own broker alone', () => {
    if (['cluster', 'daemon'].includes(name)) expect(service.profiles).toEqual([]);
    else expect(service.profiles).toEqual([expect.stringMatching(/^(kafka|mqtt|nats|pubsub)$/), 'all']);
  });

  test('has all it depends on in its own profiles', () => {
    for (const [other, { required }] of Object.entries(service.depends_on)) {
      const theirs = services[other]?.profiles;
      expect(theirs).toBeDefined();
      if (required && theirs?.length !== 0) expect(theirs).toEqual(service.profiles);
    }
  });
});

test('docker compose up starts every broker unless a profile is named', () => {
  expect(textOf('.env')).toMatch(/^COMPOSE_PROFILES=all$/m);
});

test('the config that compose mounts is valid, and routes to each broker of compose', () => {
  const loaded = loadConfig(textOf('config/compose.yaml'), { file: 'config/compose.yaml', adapters: adapterTypes });
  expect(loaded).not.toHaveProperty('diagnostics');
  const profiles = new Set(names.flatMap((name) => services[name]?.profiles ?? []));
  expect(Object.values(config.brokers).map((broker) => Object.keys(Object(broker))[0])).toEqual(
    [...profiles].filter((one) => one !== 'all'),
  );
  expect(config.routes.map(({ to }) => to.broker)).toEqual(Object.keys(config.brokers));
});

test('the addresses in that config are services, on ports that they listen on', () => {
  const addresses = [...textOf('config/compose.yaml').matchAll(/"(?:\w+:\/\/)?([a-z]+):(\d+)"/g)];
  expect(addresses.map(([, host]) => host)).toEqual(['cluster', 'kafka', 'mosquitto', 'nats', 'pubsub']);
  const insideOnly = services.kafka?.environment;
  for (const [, host = '', port = ''] of addresses) {
    const published = services[host]?.ports.some((each) => each.endsWith(`:${port}`));
    expect(published || JSON.stringify(insideOnly).includes(`INSIDE://${host}:${port}`)).toBe(true);
  }
});

test('each topic and stream that the routes need is made by a one-shot', () => {
  const made = oneShots.map((name) => services[name]?.command?.join(' ')).join('\n');
  const wanted = config.routes.map(({ to }) => to.topic ?? to.subject ?? '').filter((name) => !name.includes('/'));
  // MQTT needs none; a NATS stream takes all subjects below the first token.
  const makes = wanted.map((name) => (name.includes('{') ? `${name.split('.')[0]}.>` : name));
  expect(makes.length).toBe(3);
  for (const each of makes) expect(made).toContain(each);
});
