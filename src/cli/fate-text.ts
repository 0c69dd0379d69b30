import type { Fate } from '../control/fate.ts';
import { duration, harmless, moment } from './plain-text.ts';

/** What became of a record on a route, in a line: a sign, and words. */
export function fateText(fate: Fate): { readonly sign: '✓' | '–' | '…' | '✗' | '?'; readonly words: string } {
  switch (fate.state) {
    case 'delivered':
      return { sign: '✓', words: `delivered ${moment(fate.at)}  ${receiptText(fate.receipt)}` };
    case 'filtered':
      return { sign: '–', words: filteredText(fate) };
    case 'waiting':
      return { sign: '…', words: waitingText(fate) };
    case 'parked': {
      if (fate.replay !== undefined) {
        const was = `it was a dead letter: ${whyText(fate)}`;
        return { sign: '…', words: `to be sent again since ${moment(fate.since)}, in replay ${fate.replay}; ${was}` };
      }
      const next = fate.nextTryAt === undefined ? '' : `, next try ${moment(fate.nextTryAt)}`;
      return { sign: '…', words: `parked since ${moment(fate.since)}${again(fate)}${next}: ${whyText(fate)}` };
    }
    case 'dead':
      return { sign: '✗', words: `dead letter ${fate.id} since ${moment(fate.at)}${again(fate)}: ${whyText(fate)}` };
    case 'expired':
      return { sign: '✗', words: expiredText(fate) };
    case 'before-start':
      return { sign: '–', words: `older than the route, which began at what came after ${moment(fate.at)}` };
    case 'dropped':
      return { sign: '✗', words: `dropped ${moment(fate.at)}: it was a dead letter` };
    case 'unknown':
      return { sign: '?', words: fate.detail };
    default:
      return fate satisfies never;
  }
}

/** `topic=k8s partition=2 offset=41` */
function receiptText(receipt: Extract<Fate, { state: 'delivered' }>['receipt']): string {
  return harmless(
    Object.entries(receipt)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
  );
}

function filteredText({ by, part = '', line, gives, values = [] }: Extract<Fate, { state: 'filtered' }>): string {
  if (by === 'gaps') return 'filtered: the route wants no gap records (gaps: false)';
  const facts = values.map(({ name, value }) => `${name} is ${harmless(JSON.stringify(value), 80)}`).join(', ');
  const answer = gives === true ? 'yes, which the route excludes' : 'no';
  const where = line === undefined ? '' : ` (line ${line})`;
  return `filtered by when${where}: ${harmless(part)}  →  ${answer}${facts === '' ? '' : ` (${facts})`}`;
}

/** Without it, it is sent for the first time. */
function again({ replay }: { readonly replay?: number | undefined }): string {
  return replay === undefined ? '' : `, in replay ${replay}`;
}

function waitingText({ ahead, for: what, detail, since, replay }: Extract<Fate, { state: 'waiting' }>): string {
  const behind = ahead === 0 ? 'next in line' : `behind ${ahead >= 1_000 ? '1,000 or more' : ahead}`;
  const why = {
    daemon: '',
    list: '',
    broker: 'the broker is out of reach',
    destination: 'nothing gets through',
    key: 'its key backs off',
    turn: 'its turn comes',
  }[what];
  const from = since === undefined ? '' : ` since ${moment(since)}`;
  const words = [`${why}${from}`, detail && harmless(detail)].filter((part) => part !== undefined && part !== '');
  const news = replay === undefined ? 'waiting' : `waiting to be sent again, in replay ${replay}`;
  return `${news}, ${behind}: ${words.join(': ')}`;
}

function whyText({ destination, reason, detail }: Extract<Fate, { state: 'parked' | 'dead' }>): string {
  const where = destination === '' ? '' : `${harmless(destination)}: `;
  return `${where}${reason}${detail === '' ? '' : ` (${harmless(detail)})`}`;
}

function expiredText({ by, at, maxAgeMs = 0 }: Extract<Fate, { state: 'expired' }>): string {
  if (by === 'maxAge') return `expired: it was older than the route’s maxAge of ${duration(maxAgeMs)}`;
  return `expired ${at === undefined ? '' : moment(at)}: the journal was full, and the route had not delivered it`;
}
