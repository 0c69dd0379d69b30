/** Does what an audit wants to be done, and tells people what it has found. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { StreamName } from '../envelope/position.ts';
import type { Journal } from '../journal/port.ts';
import type { NewRecord } from '../journal/record.ts';
import type { AppendQueue } from './append-queue.ts';
import type { AuditEffect, AuditInput } from './audit-state.ts';
import type { Backlog } from './backlog.ts';
import type { Limits } from './limits.ts';
import { PageReader, type PageReaderParts } from './page-reader.ts';
import type { Questions } from './questions.ts';
import { Slot } from './slot.ts';
import type { Input } from './state.ts';
import type { StreamStatus } from './status.ts';

export interface AuditorParts extends Pick<PageReaderParts, 'api' | 'envelope'> {
  readonly journal: Pick<Journal, 'lookUp'>;
  readonly appends: AppendQueue;
  readonly backlog: Backlog;
  readonly status: StreamStatus;
  readonly log: Logger;
  readonly limits: Limits;
  readonly questions: Questions;
  readonly hear: (input: Input) => void;
  /** Told when the journal has failed, or by a defect. */
  readonly broken: (error: unknown) => void;
}

type AuditNote = Extract<AuditEffect, { kind: 'audit-found' | 'audit-ended' }>;
type AuditQuestion = Exclude<AuditEffect, AuditNote | { kind: 'audit-ask' | 'stop-audit' }>;

export class Auditor {
  readonly #parts: AuditorParts;
  readonly #pages: PageReader;
  readonly #stream: StreamName;
  readonly #slot: Slot<Input>;

  constructor(parts: AuditorParts) {
    this.#parts = parts;
    this.#stream = parts.status.stream;
    this.#slot = new Slot(parts.hear, parts.broken);
    // What is no Event was skipped, and counted, when a list brought it.
    this.#pages = new PageReader(
      { ...parts, counters: { pages: 0, listed: 0 }, skip: () => {} },
      parts.limits.pageEvents,
    );
  }

  do(effect: AuditEffect): void {
    const { questions } = this.#parts;
    if (effect.kind === 'stop-audit') this.stop();
    else if (effect.kind === 'audit-found' || effect.kind === 'audit-ended') this.#tell(effect);
    // The journal's failures are not the API server's.
    else if (effect.kind === 'audit-ask') this.#slot.start((signal) => this.#ask(effect.records, signal));
    else this.#slot.start((signal) => questions.ask('audit', signal, () => this.#next(effect, signal)));
  }

  stop(): void {
    this.#slot.stop();
  }

  idle(): Promise<void> {
    return this.#slot.idle();
  }

  async #next(effect: AuditQuestion, signal: AbortSignal): Promise<AuditInput> {
    const { limits } = this.#parts;
    switch (effect.kind) {
      case 'audit-rest':
        await sleep(about(limits.auditEveryMs), undefined, { signal });
        return { kind: 'audit-due' };
      case 'audit-pause':
        await sleep(about(limits.auditPauseMs), undefined, { signal });
        return { kind: 'audit-next' };
      case 'audit-wait':
        await sleep(effect.ms * limits.waits * (1 + Math.random() * 0.25), undefined, { signal });
        return { kind: 'audit-next' };
      case 'audit-page':
        return this.#page(effect.token, signal);
    }
  }

  async #page(token: string | undefined, signal: AbortSignal): Promise<AuditInput> {
    const { backlog, questions, status } = this.#parts;
    await backlog.room(signal);
    status.counters.auditPages += 1;
    const page = await this.#pages.read(token, signal);
    questions.well('audit');
    return { kind: 'audit-page', page };
  }

  #tell(note: AuditNote): void {
    const { status, log } = this.#parts;
    const stream = this.#stream;
    if (note.kind === 'audit-ended') {
      const { looked, found } = note;
      status.counters.audits += 1;
      status.lastAudit = { endedAt: Date.now(), looked, found };
      log.debug({ stream, looked, found }, 'audited: what the API server has was compared with the journal');
      return;
    }
    status.counters.found += note.count;
    log.warn({ stream, found: note.count }, FOUND[note.what]);
  }

  /** The journal is asked when it has all that was read before. */
  async #ask(records: readonly NewRecord[], signal: AbortSignal): Promise<AuditInput> {
    await this.#parts.appends.settled(signal);
    return { kind: 'audit-told', lookUps: await this.#parts.journal.lookUp(this.#stream, records, signal) };
  }
}

const FOUND = {
  missed:
    'the audit found Events that the watch had never told; they are delivered now, behind newer ones. Something between ' +
    'etcd and kube-fanout hides changes from watches: look at what stands in front of the API server, at the health of ' +
    'etcd (or kine), and whether it was restored from a backup; a fieldSelector that now lets more through looks the same',
  restored:
    'the audit found other Events at resourceVersions that are known: the cluster was restored from a backup, and had ' +
    'overtaken the checkpoint before that could be seen. All its Events are delivered anew, behind a gap record; to ' +
    'avoid this, restore etcd with --bump-revision and --mark-compacted',
} as const;

/** A fifth more or less, so that many streams do not ask all at once. */
function about(ms: number): number {
  return ms * (0.8 + Math.random() * 0.4);
}
