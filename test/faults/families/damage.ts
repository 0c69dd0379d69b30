/** The journal's file is damaged while the daemon is away: what is wrong is never delivered, and it says what to do. */
import { open, rm } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { compact, etcdRevision } from '../../backends/etcd.ts';
import type { TruthRevision } from '../../backends/truth.ts';
import { idOf } from '../../main-job/books.ts';
import { watching, writeConfig } from '../../main-job/daemon-process.ts';
import { START } from '../brokers.ts';
import { classify } from '../classes.ts';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';
import { endsSaying, saysAfter } from './disk.ts';

/** A stop leaves one file, without a WAL; what its broker has not had waits in it. */
async function stoppedWithBacklog(scene: Scene): Promise<void> {
  await scene.written(300);
  await scene.brokers[0]?.program.kill();
  await scene.written(600);
  await scene.rest();
  await scene.truth.upTo();
  await scene.daemon.stop();
}

/** Flips a bit in the data of some Events, as a disk does that rots; gives the ids of those. */
async function flipBits(scene: Scene, count: number): Promise<ReadonlySet<string>> {
  using db = new DatabaseSync(scene.journal, { readOnly: true });
  const rows = db
    .prepare(
      `SELECT json_extract(r.attributes, '$.id') AS id FROM records r JOIN cursors c USING (stream)
       WHERE (r.epoch, r.position) > (c.epoch, c.position)`,
    )
    .all();
  await using file = await open(scene.journal, 'r+');
  const bytes = await file.readFile();
  const flipped = new Set<string>();
  for (const { id } of scene.random.shuffled(rows)) {
    const [uid, resourceVersion] = String(id).split('.');
    // Within the data, and in no attribute: there the two stand behind one another.
    const at = bytes.indexOf(`"uid":"${uid}","resourceVersion":"${resourceVersion}"`);
    if (at < 0) continue;
    const digit = at + 8;
    await file.write(Buffer.of((bytes[digit] ?? 0) ^ 1), 0, 1, digit);
    flipped.add(String(id));
    if (flipped.size === count) return flipped;
  }
  throw new Error(`only ${flipped.size} of ${count} Events were found in the file`);
}

function bitRot(): Fault {
  let flipped: ReadonlySet<string> = new Set();
  const rots = (revision: TruthRevision) => flipped.has(idOf(revision));
  return {
    name: 'disk: bits flip in records that wait',
    brokers: ['nats'],
    scene: {
      start: { nats: START.nats },
      dies: (revision) => (rots(revision) ? 'corrupt-record' : undefined),
    },
    async inject(scene) {
      await stoppedWithBacklog(scene);
      flipped = await flipBits(scene, scene.quick ? 10 : 100);
      await scene.brokers[0]?.program.start();
      await scene.daemon.start();
      await watching(scene.metricsPort);
      scene.write();
      await scene.written(100);
    },
  };
}

/** The page from which all records are found. */
async function zeroRoot(scene: Scene): Promise<void> {
  using db = new DatabaseSync(scene.journal, { readOnly: true });
  const root = Number(db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'records'").get()?.rootpage);
  const size = Number(db.prepare('PRAGMA page_size').get()?.page_size);
  await using file = await open(scene.journal, 'r+');
  await file.write(Buffer.alloc(size), 0, size, (root - 1) * size);
}

/** Writes as a disk leaves it whose bits have flipped: with a checksum that does not fit. */
function misfit(scene: Scene, change: string): void {
  using db = new DatabaseSync(scene.journal);
  db.function('seal', { deterministic: true, varargs: true }, () => 0);
  db.exec(change);
}

export const DAMAGE: readonly Fault[] = [
  bitRot(),
  {
    name: 'disk: bits flip in the checkpoint',
    brokers: ['nats'],
    scene: { emptyKube: true, start: { nats: START.nats } },
    async inject(scene) {
      await stoppedWithBacklog(scene);
      // As far ahead as would skip everything, if it were believed.
      misfit(scene, "UPDATE streams SET rv = '9' || rv");
      scene.write();
      await scene.written(100);
      await compact(scene.kube.address);
      await scene.brokers[0]?.program.start();
      await saysAfter(scene, /where stream _all stood is not known/g, () => scene.daemon.start());
      await watching(scene.metricsPort);
      await scene.written(300);
    },
    judge: (_, history) =>
      history.routes.flatMap((route) => {
        const lost = [...classify(history, route).of].filter(
          ([id, of]) => of === 'unrecoverable' && history.journal.records.has(id),
        );
        return lost.length > 0 ? `what the journal has is delivered, but ${lost.length} of ${route.route} are not` : [];
      }),
  },
  {
    name: 'disk: a page of the journal is zeroed',
    brokers: ['nats'],
    scene: { emptyKube: true, start: { nats: START.nats } },
    async inject(scene) {
      await stoppedWithBacklog(scene);
      await zeroRoot(scene);
      await scene.brokers[0]?.program.start();
      await endsSaying(scene, /damaged: move it away together with its -wal/g, () => scene.daemon.spawn());
      // As it says.
      await rm(scene.journal);
      await rm(`${scene.journal}-wal`, { force: true });
      scene.forgotten.push({ stream: '_all', to: String(await etcdRevision(scene.kube.address)), cause: 'compacted' });
      await writeConfig({ ...scene.spec, source: {} });
      await scene.daemon.start();
      await watching(scene.metricsPort);
      scene.write();
      await scene.written(300);
    },
  },
];
