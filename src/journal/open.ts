import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { failpoint } from '../failpoint.ts';
import { OwnerNote, prepareDirectory } from './file-system.ts';
import { SqliteJournal } from './journal.ts';
import { WorkerLink } from './link.ts';
import type { Journal, JournalOptions } from './port.ts';
import type { Calls } from './protocol.ts';

export interface OpenOptions extends JournalOptions {
  /** The cluster's name, for the gap events that a full journal makes. */
  readonly cluster: string;
  readonly log: Logger;
  /** Memory for the newest records; 4 MiB unless given. */
  readonly ringBytes?: number;
}

const LOCKED_RETRY_MS = 500;

/**
 * Opens the journal, or makes a new one. While another process holds the file it waits, says so once, and tries again
 * until `signal` is aborted. Rejects, in words for a person, when the file or its place is of no use.
 */
export async function openJournal(options: OpenOptions, signal?: AbortSignal): Promise<Journal> {
  const { path, log } = options;
  await prepareDirectory(path);
  const note = new OwnerNote(path);
  const link = new WorkerLink(path, (error) => log.fatal(error.message));
  try {
    const opened = await whenUnlocked(options, link, note, signal);
    note.write();
    for (const what of opened.mended) log.error(`the journal ${path} was damaged: ${what}`);
    failpoint('journal.opened');
    return new SqliteJournal(options, link, opened, note);
  } catch (error) {
    await link.close();
    throw error;
  }
}

/**
 * Opens what a stopped daemon has left, to look at and to mend: nothing is deleted by age or quota, and no route is taken
 * for removed. `busy`, with who has it open, when the daemon has not stopped; rejects when there is no journal.
 */
export async function openStopped(
  path: string,
  log: Logger,
): Promise<{ readonly journal: Journal } | { readonly busy: string }> {
  const there = await stat(path).catch(() => undefined);
  if (!there?.isFile()) throw new Error(`there is no journal at ${resolve(path)}`);
  await prepareDirectory(path);
  const note = new OwnerNote(path);
  const link = new WorkerLink(path, (error) => log.debug(error.message));
  try {
    const opened = await link.call('open', {
      path,
      sync: 'full',
      maxBytes: Number.POSITIVE_INFINITY,
      whenDamaged: 'refuse',
    });
    if (opened.kind === 'busy') {
      await link.close();
      return { busy: note.read() ?? 'another process' };
    }
    note.write();
    const unbounded = { retainMs: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY };
    return {
      journal: new SqliteJournal(
        { path, ...unbounded, sync: 'full', cluster: '', log, idle: true },
        link,
        opened,
        note,
      ),
    };
  } catch (error) {
    await link.close();
    throw error;
  }
}

type Opened = Extract<Calls['open']['result'], { kind: 'open' }>;

async function whenUnlocked(
  { path, sync, maxBytes, maxDeadLetters, log }: OpenOptions,
  link: WorkerLink,
  note: OwnerNote,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  for (let tries = 0; ; tries += 1) {
    signal?.throwIfAborted();
    const limits = { maxBytes, ...(maxDeadLetters !== undefined && { maxDeadLetters }) };
    const result = await link.call('open', { path, sync, ...limits, whenDamaged: 'mend' });
    if (result.kind === 'open') return result;
    if (tries === 0) {
      const owner = note.read() ?? 'another process';
      log.warn({ path, owner }, `the journal ${path} is locked by ${owner}: waiting until it lets go`);
    }
    // The next turn says why, if it was an abort.
    await delay(LOCKED_RETRY_MS, undefined, { signal }).catch(() => {});
  }
}
