import { execFile } from 'node:child_process';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { expect, test } from 'vitest';
import { ordinaryEvents, hostileEvents } from '../backends/events.ts';
import { startKafka } from '../backends/kafka.ts';
import { startKube } from '../backends/kube.ts';
import { EventWriter } from '../backends/load.ts';
import { watchTruth } from '../backends/truth.ts';
import { startDaemonProcess, until } from './daemon-process.ts';

async function readTopic(bootstrap: string, topic: string): Promise<{ partition: number; key: string; id: string }[]> {
  const format = ['-C', '-b', bootstrap, '-t', topic, '-o', 'beginning', '-e', '-q', '-J'];
  const { stdout } = await promisify(execFile)('kcat', format, { maxBuffer: 1 << 30 });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const { partition, key, headers } = JSON.parse(line);
      return { partition, key, id: headers[headers.indexOf('ce_id') + 1] };
    });
}

test('kafka: three SIGKILLs and nothing is missing', { timeout: 300_000 }, async () => {
  await using scope = new AsyncDisposableStack();
  const kafka = scope.use(await startKafka());
  const kube = scope.use(await startKube());
  const truth = scope.use(await watchTruth(kube.address));
  const writer = scope.use(new EventWriter(kube.address, 8));
  const directory = scope.use(await mkdtempDisposable(join(tmpdir(), 'kube-fanout-main-'))).path;
  const admin = new Kafka({ brokers: [kafka.address.bootstrap], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'events', numPartitions: 3 }], waitForLeaders: true });
  const daemon = scope.use(
    await startDaemonProcess({
      directory,
      kube: kube.address,
      brokers: { main: { kafka: { bootstrap: [kafka.address.bootstrap] } } },
      routes: [{ name: 'all', to: { broker: 'main', topic: 'events' }, startFrom: 'oldest' }],
    }),
  );
  await new Promise((r) => setTimeout(r, 3000));
  let kills = 0;
  let written = 0;
  await writer.each([...ordinaryEvents('default', 1000), ...hostileEvents('default')], async (event) => {
    const one = await writer.create(event);
    written += 1;
    const mine = written;
    if (mine % 4 === 0) for (let i = 0; i < 2; i++) await writer.repeat({ ...one, resourceVersions: writer.written.get(one.uid)?.resourceVersions ?? [] });
    if (mine % 300 === 0 && kills < 3) {
      kills += 1;
      await daemon.kill();
      await daemon.start();
    }
  });
  await truth.upTo();
  const wanted = new Set(truth.revisions.filter((r) => !r.deleted).map((r) => `${r.uid}.${r.resourceVersion}`));
  let last: string[] = [];
  let got: Awaited<ReturnType<typeof readTopic>> = [];
  await until('everything arrives', async () => {
    got = await readTopic(kafka.address.bootstrap, 'events');
    const ids = new Set(got.map(({ id }) => id));
    const missing = [...wanted].filter((id) => !ids.has(id));
     last = missing;
    return missing.length <= 1;
  }, 8_000).catch(async (e) => { console.log(last.length, last.slice(0,40).join(' ')); console.log((await import('node:fs')).readFileSync(join(directory, 'daemon.log'), 'utf8').split('\n').filter((l) => !l.includes('kafkajs')).slice(-12).map((l) => l.slice(0, 400)).join('\n')); throw e; });
  expect(kills).toBe(3);
});
