/** A source over a journal, wired as the daemon does it, that a test can stop and start again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { envelopeOf } from '../../src/envelope/event.ts';
import { gapRecord } from '../../src/envelope/gap.ts';
import { ORIGIN, type StreamName } from '../../src/envelope/position.ts';
import { openJournal } from '../../src/journal/open.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { JournalRecord } from '../../src/journal/record.ts';
import type { Cluster } from '../../src/source/cluster.ts';
import { LIMITS } from '../../src/source/limits.ts';
import { Source, type SourceOptions, type StreamStatus } from '../../src/source/source.ts';

interface Logged {
  readonly level: number;
  readonly msg: string;
}

export interface RunningSource extends AsyncDisposable {
  /** Rejects as the source does. */
  readonly ended: Promise<void>;
  readonly logged: readonly Logged[];
  /** Of the first stream. */
  readonly status: StreamStatus;
  readonly statuses: readonly StreamStatus[];
  /** Rejects when the source does, else when the condition does not hold within 20 s. */
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void>;
  /** Everything that routes may read of the first stream, in order. */
  records(): Promise<readonly JournalRecord[]>;
  /** Its Events by `<uid>.<resourceVersion>`, and its gap records. */
  ids(): Promise<ReadonlySet<string>>;
  gaps(): Promise<readonly GapData[]>;
}

export interface GapData {
  readonly cause: string;
  readonly from?: string;
  readonly to: string;
  readonly recovered: number;
}

type Options = { readonly cluster: Cluster; readonly streams: readonly string[] } & Partial<
  Omit<SourceOptions, 'cluster' | 'streams' | 'journal'>
>;

/** A file for the real journal. */
export async function temporaryFile(): Promise<{ path: string } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'kube-fanout-source-'));
  const path = join(directory, 'journal.db');
  return { path, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

/** Disposing of it stops the source as SIGTERM would, and closes the journal. */
export async function startOnFile(path: string, options: Options): Promise<RunningSource> {
  const limits = { retainMs: 3_600_000, maxBytes: 2 ** 30, sync: 'normal' } as const;
  const journal = await openJournal({ path, cluster: 'test', log: pino({ level: 'silent' }), ...limits });
  const source = startSource(journal, options);
  return {
    ...source,
    [Symbol.asyncDispose]: async () => {
      await using _ = journal;
      await source[Symbol.asyncDispose]();
    },
  };
}

/** Disposing of it stops the source as SIGTERM would; rejects when the source has. */
export function startSource(
  journal: Pick<Journal, 'append' | 'streams' | 'read' | 'lookUp'>,
  { streams, limits, ...options }: Options,
): RunningSource {
  const logged: Logged[] = [];
  const log = pino({ base: null }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const stop = new AbortController();
  const names = streams.map((name) => name as StreamName);
  const source = new Source({
    journal,
    streams: names,
    fieldSelector: undefined,
    startFrom: 'oldest',
    log,
    userAgent: 'kube-fanout/test',
    envelope: (object, origin) => envelopeOf(object, { cluster: 'test', origin, now: new Date() }),
    gap: (gap) => gapRecord({ ...gap, cluster: 'test', now: new Date() }),
    limits: limits ?? LIMITS,
    ...options,
  });
  const running = source.run(stop.signal);
  const failed = running.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  const [first] = names;
  const [status] = source.status;
  if (first === undefined || status === undefined) throw new Error('a source without a stream');
  const records = async () => {
    const all: JournalRecord[] = [];
    for (let after = ORIGIN; ; ) {
      const page = await journal.read(first, after, { records: 1000, bytes: 64 * 2 ** 20 });
      const last = page.at(-1);
      if (last === undefined) return all;
      all.push(...page);
      after = { epoch: last.epoch, position: last.position };
    }
  };
  return {
    ended: running,
    logged,
    status,
    statuses: source.status,
    records,
    until: (what, condition) => Promise.race([failed, until(what, condition)]),
    ids: async () =>
      new Set((await records()).filter(({ kind }) => kind === 'event').map(({ attributes }) => attributes.id)),
    gaps: async () => (await records()).filter(({ kind }) => kind === 'gap').map(({ data }) => gapIn(data)),
    [Symbol.asyncDispose]: () => {
      stop.abort();
      return running;
    },
  };
}

function gapIn(data: Uint8Array): GapData {
  return JSON.parse(Buffer.from(data).toString()).gap;
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${what}`);
    await sleep(20);
  }
}
