import type { Status } from '../control/status.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { inspect } from './inspect.ts';
import type { JournalOption } from './journal-option.ts';
import { duration, harmless, moment, size } from './plain-text.ts';

export async function status(options: JournalOption & { readonly json?: boolean }): Promise<ExitCode> {
  await inspect(options, async (inspection) => {
    for await (const item of inspection.ask('status', {})) {
      process.stdout.write(options.json === true ? `${JSON.stringify(item)}\n` : statusText(item, Date.now()));
    }
  });
  return EXIT.ok;
}

/** For a person, on a screen. */
export function statusText({ running, journal, streams, routes, gaps }: Status, now: number): string {
  const since = (time: string) => duration(Math.max(0, now - Date.parse(time)));
  return [
    `Daemon   ${running ? 'runs' : 'does not run: this is how it has left the journal'}`,
    `Journal  ${journalText(journal, since)}`,
    '',
    'STREAMS',
    ...streams.flatMap((stream) => streamText(stream, running, since)),
    ...(streams.length === 0 ? ['  none yet'] : []),
    '',
    'ROUTES',
    ...routes.flatMap((route) => routeText(route, since)),
    ...(routes.length === 0 ? ['  none yet'] : []),
    '',
    ...(gaps.length === 0 ? [] : [`GAPS, ${journal.gaps} in the journal, the newest first`]),
    ...gaps.map(({ at, note }) => `  ${moment(at)}  ${harmless(note)}`),
    ...(gaps.length === 0 ? [] : ['']),
  ].join('\n');
}

type Since = (time: string) => string;

function journalText(journal: Status['journal'], since: Since): string {
  const { records, bytes, quotaBytes, oldestAt, hoursToQuota, disk, deadLetters, maxDeadLetters } = journal;
  const used = quotaBytes === undefined ? size(bytes) : `${size(bytes)} of ${size(quotaBytes)}`;
  const parts = [`${count(records)} records, ${used}`];
  if (oldestAt !== undefined) parts.push(`the oldest ${since(oldestAt)} old`);
  if (hoursToQuota === 'not-growing') parts.push('not growing');
  else if (hoursToQuota !== undefined) parts.push(`full in ${duration(hoursToQuota * 3_600_000)} at this pace`);
  if (deadLetters >= DEAD_LETTERS_SHOWN * (maxDeadLetters ?? Number.POSITIVE_INFINITY))
    parts.push(`${count(deadLetters)} dead letters, and room for ${count(maxDeadLetters ?? 0)}`);
  if (disk === 'reserve-used') parts.push('the disk is full, and the reserve for that in use');
  return parts.join(', ');
}

/** From this share of their limit on. */
const DEAD_LETTERS_SHOWN = 0.8;

function streamText(stream: Status['streams'][number], running: boolean, since: Since): string[] {
  const { rv = 'none', epoch, up, phase, listing, lastLineAt, lastAudit, lastError } = stream;
  const doing = !running
    ? ''
    : `, ${up ? 'watched' : (phase ?? 'not read')}${stream.since ? ` for ${since(stream.since)}` : ''}`;
  const line = lastLineAt === undefined ? '' : `, last line ${since(lastLineAt)} ago`;
  const sign = up ? '✓' : running ? '✗' : ' ';
  return [
    `  ${sign} ${harmless(stream.stream)}${doing}, read up to resourceVersion ${rv}, epoch ${epoch}${line}`,
    ...(listing ? [`      a list up to ${listing.to} is under way: ${count(listing.recovered)} found so far`] : []),
    ...(lastAudit
      ? [
          `      audited ${since(lastAudit.endedAt)} ago: ${count(lastAudit.found)} missed of ${count(lastAudit.looked)}`,
        ]
      : []),
    ...(lastError ? [`      ${harmless(lastError)}`] : []),
  ];
}

function routeText(route: Status['routes'][number], since: Since): string[] {
  const { counters, lag, lagSeconds, pending, replay, connection, stopped, held, heldCount, broker } = route;
  const behind = lag === 0 ? 'nothing behind' : `${count(lag)} behind (${duration(lagSeconds * 1_000)})`;
  const others = (['filtered', 'limited', 'expired'] as const).map((name) => [counters[name], name] as const);
  const dead = [
    [route.deadLetters, route.deadLetters === 1 ? 'dead letter' : 'dead letters'],
    [route.dropped.byLimit, 'dropped by a limit'],
  ] as const;
  const more = [...others, ...dead].flatMap(([n, name]) => (n > 0 ? `${count(n)} ${name}` : []));
  const numbers = [`${count(counters.delivered)} delivered`, behind, `${count(pending)} parked`, ...more].join(', ');
  const sign = connection === undefined ? ' ' : connection.state === 'up' && !stopped ? '✓' : '✗';
  const to = broker === undefined ? '' : ` → ${broker}`;
  const cursors = route.cursors.map(
    ({ stream, epoch, position }) => `${harmless(stream)} ${epoch}:${position || 'start'}`,
  );
  return [
    `  ${sign} ${route.route}${to}  ${numbers}`,
    ...(cursors.length > 0 ? [`      at ${cursors.slice(0, 4).join(', ')}${cursors.length > 4 ? ', …' : ''}`] : []),
    ...(replay
      ? [`      replay ${replay.number}, for ${since(replay.since)}: ${count(replay.left)} records left`]
      : []),
    ...connectionText(connection, since),
    ...(stopped
      ? [`      nothing gets through for ${since(stopped.since)}: ${stopped.reason} (${harmless(stopped.detail)})`]
      : []),
    ...held.slice(0, HELD_SHOWN).map(({ destination, key, reason, detail, ...one }) => {
      const where = key === undefined ? destination : `${destination}, ${key}`;
      return `      held for ${since(one.since)}: ${harmless(where, 80)}: ${reason} (${harmless(detail, 160)})`;
    }),
    ...(heldCount > HELD_SHOWN ? [`      and ${count(heldCount - HELD_SHOWN)} more held`] : []),
  ];
}

const HELD_SHOWN = 3;

function connectionText(connection: Status['routes'][number]['connection'], since: Since): string[] {
  if (connection === undefined || connection.state === 'up') return [];
  const { error, since: from } = connection;
  return [`      not connected for ${since(from)}${error === undefined ? '' : `: ${harmless(error)}`}`];
}

function count(n: number): string {
  return n.toLocaleString('en-US');
}
