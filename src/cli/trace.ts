import type { TracedRevision, TraceItem } from '../control/trace.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { fateText } from './fate-text.ts';
import { inspect } from './inspect.ts';
import type { JournalOption } from './journal-option.ts';
import type { ObjectName } from './object-name.ts';
import { duration, harmless, moment } from './plain-text.ts';

interface TraceOptions extends JournalOption {
  readonly for?: ObjectName;
  readonly id?: string;
  readonly namespace?: string;
  readonly limit: number;
  readonly json?: boolean;
}

/** What became of each revision, the oldest first. Exit code 1 when there is none. */
export async function trace(options: TraceOptions): Promise<ExitCode> {
  const items = await inspect(options, async (inspection) => {
    return await Array.fromAsync(inspection.ask('trace', { what: wanted(options), limit: options.limit }));
  });
  const revisions = items.filter((item) => item.kind !== 'end').reverse();
  const ends = items.filter((item) => item.kind === 'end');
  process.stdout.write(
    options.json === true
      ? [...revisions, ...ends].map((item) => `${JSON.stringify(item)}\n`).join('')
      : [...revisions.map(revisionText), ...ends.map(endText)].join('\n'),
  );
  return revisions.length > 0 ? EXIT.ok : EXIT.failed;
}

function wanted({ for: object, id, namespace }: TraceOptions) {
  if (object === undefined) return { kind: 'id', id: id ?? '' } as const;
  const given = object.namespace ?? namespace;
  // What has no namespace, such as a Node, is in all of them.
  const own = given === undefined ? undefined : object.namespace === undefined ? [given, ''] : [given];
  return { kind: 'object', kinds: object.kinds, name: object.name, ...(own && { namespaces: own }) } as const;
}

function revisionText(revision: TracedRevision): string {
  const { object, type = '', reason = '', note = '', count = 1, id, occurredAt, readAt, origin, intact } = revision;
  const times = count > 1 ? ` ×${count}` : '';
  const late = Date.parse(readAt) - Date.parse(occurredAt);
  const read = `read ${moment(readAt)}${late > 0 ? `, ${duration(late)} later` : ''}, ${origin}`;
  const width = Math.max(0, ...revision.routes.map(({ route }) => route.length));
  return [
    `${harmless(object)}  ${harmless(type, 20)} ${harmless(reason, 80)}${times}  ${moment(occurredAt)}`,
    `  ${harmless(id)}  ${read}`,
    `  ${intact ? harmless(note) : 'damaged: its checksum in the journal does not fit it'}`,
    ...revision.routes.map(({ route, ...fate }) => {
      const { sign, words } = fateText(fate);
      return `    ${sign} ${route.padEnd(width)}  ${words}`;
    }),
    ...(revision.routes.length === 0 ? ['    no route is in this journal'] : []),
    '',
  ].join('\n');
}

function endText({ revisions, more, running, config, gaps }: Extract<TraceItem, { kind: 'end' }>): string {
  const newest = more ? `The newest ${revisions}; --limit shows more.` : `${revisions} in the journal.`;
  const known = running || config;
  return [
    revisions === 0 ? 'Nothing of it is in the journal: never read, or retention has deleted it.' : newest,
    ...(running ? [] : ['No daemon runs: this is how it has left the journal.']),
    ...(known ? [] : ['Without its config (-c FILE) nobody can tell what a route has filtered from what had expired.']),
    ...gaps.map(({ at, note }) => `Gap, ${moment(at)}: ${harmless(note, 500)}`),
    '',
  ].join('\n');
}
