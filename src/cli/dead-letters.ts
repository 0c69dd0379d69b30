import type { RejectReason } from '../adapter.ts';
import type { DeadLetterItem, ListedDeadLetter, WholeDeadLetter } from '../control/dead-letters.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { inspect } from './inspect.ts';
import type { JournalOption } from './journal-option.ts';
import { harmless, harmlessJson, moment, size } from './plain-text.ts';

export interface DeadLettersOptions extends JournalOption {
  readonly route?: string;
  readonly reason?: RejectReason;
  readonly since?: number;
  readonly until?: number;
  readonly id?: readonly string[];
  readonly limit: number;
  readonly json?: boolean;
  readonly all?: boolean;
}

/** The newest that fit, the oldest of them first. */
export async function list(options: DeadLettersOptions): Promise<ExitCode> {
  const { limit, json } = options;
  const items = await inspect(options, async (inspection) => {
    return await Array.fromAsync(inspection.ask('deadLetters', { filter: filterOf(options), limit }));
  });
  const letters = items.filter((item) => item.kind === 'dead-letter').reverse();
  const ends = items.filter((item) => item.kind === 'end');
  process.stdout.write(
    json === true
      ? [...letters, ...ends].map((item) => `${harmlessJson(item)}\n`).join('')
      : [...letters.map(letterText), ...ends.map(endText)].join(''),
  );
  return EXIT.ok;
}

/** Each as it comes, for one may be of several MiB. */
export async function show(options: DeadLettersOptions): Promise<ExitCode> {
  await inspect(options, async (inspection) => {
    for await (const item of inspection.ask('showDeadLetters', { filter: filterOf(options) })) {
      process.stdout.write(options.json === true ? `${harmlessJson(item)}\n` : wholeText(item));
    }
  });
  return EXIT.ok;
}

export function filterOf({ route, reason, since, until, id }: DeadLettersOptions) {
  return { route, reason, since, until, ...(id && { ids: [...id] }) };
}

function letterText({ id, at, route, reason, object, eventReason, bytes, ...rest }: ListedDeadLetter): string {
  const what = `${harmless(object, 120)}${eventReason === undefined ? '' : ` ${harmless(eventReason, 80)}`}`;
  return [
    `${String(id).padStart(6)}  ${moment(at)}  ${route}  ${reason}  ${what}  ${size(bytes)}`,
    `        ${whyText(rest)}`,
    '',
  ].join('\n');
}

function whyText({ destination, detail, replay }: Pick<ListedDeadLetter, 'destination' | 'detail' | 'replay'>): string {
  const to = destination === '' ? '' : `to ${harmless(destination, 120)}`;
  const again = replay === undefined ? '' : `in replay ${replay}`;
  const where = [to, again].filter((part) => part !== '').join(', ');
  return [where, harmless(detail)].filter((part) => part !== '').join(': ');
}

type End = Extract<DeadLetterItem, { kind: 'end' }>;

function endText({ count, more, counts, running }: End): string {
  const most = counts.toSorted((a, b) => b.count - a.count);
  const each = most.map((one) => `${number(one.count)} of ${one.route} ${one.reason}`).join(', ');
  const lines = [
    count === 0 ? 'No dead letters.' : `${number(count)} ${count === 1 ? 'dead letter' : 'dead letters'}: ${each}.`,
    ...(more ? ['Only the newest are shown; --limit shows more.'] : []),
    ...(running ? [] : ['No daemon runs: this is how it has left the journal.']),
  ];
  return `${count === 0 ? '' : '\n'}${lines.join('\n')}\n`;
}

function wholeText({ cloudEvent, intact, ...letter }: WholeDeadLetter): string {
  const { id, at, route, reason } = letter;
  return [
    `Dead letter ${id} of route ${route}, since ${moment(at)}: ${reason}`,
    `  ${whyText(letter)}`,
    ...(intact ? [] : ['  Its record is damaged: its checksum in the journal does not fit it.']),
    harmlessJson(cloudEvent, 2),
    '',
    '',
  ].join('\n');
}

function number(n: number): string {
  return n.toLocaleString('en-US');
}
