import type { DroppedItem, ReplayedItem } from '../control/replay-dead-letters.ts';
import { type DeadLettersOptions, filterOf } from './dead-letters.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { inspect } from './inspect.ts';
import { harmlessJson } from './plain-text.ts';

export function replay(options: DeadLettersOptions): Promise<ExitCode> {
  return act('replayDeadLetters', new Tally('Replayed'), options);
}

export function drop(options: DeadLettersOptions): Promise<ExitCode> {
  return act('dropDeadLetters', new Tally('Dropped'), options);
}

/** Says what was done even when it ends in the middle: that much is durable. */
async function act(
  name: 'replayDeadLetters' | 'dropDeadLetters',
  tally: Tally,
  options: DeadLettersOptions,
): Promise<ExitCode> {
  const argument = { filter: filterOf(options), all: options.all === true };
  try {
    await inspect(options, async (inspection) => {
      for await (const item of inspection.ask(name, argument)) {
        if (options.json === true) process.stdout.write(`${harmlessJson(item)}\n`);
        else tally.add(item);
      }
    });
  } finally {
    process.stdout.write(tally.text());
  }
  return EXIT.ok;
}

interface Done {
  count: number;
  readonly first: number[];
  readonly replay: number | undefined;
}

/** Ids are named up to here. */
const NAMED = 10;

/** What was done, by route. */
class Tally {
  readonly #verb: string;
  readonly #done = new Map<string, Done>();
  readonly #refused = new Map<string, { count: number; readonly why: string }>();
  #running: boolean | undefined;

  constructor(verb: 'Replayed' | 'Dropped') {
    this.#verb = verb;
  }

  add(item: ReplayedItem | DroppedItem): void {
    if (item.kind === 'end') {
      this.#running = item.running;
    } else if (item.kind === 'refused') {
      const { route, why } = item;
      this.#refused.set(route, { why, count: (this.#refused.get(route)?.count ?? 0) + item.count });
    } else {
      const replay = item.kind === 'replayed' ? item.replay : undefined;
      const done = this.#done.get(item.route) ?? { count: 0, first: [], replay };
      this.#done.set(item.route, done);
      done.count += item.ids.length;
      done.first.push(...item.ids.slice(0, NAMED - done.first.length));
    }
  }

  text(): string {
    const isReplay = this.#verb === 'Replayed' && this.#done.size > 0;
    return [
      ...Array.from(this.#done, ([route, done]) => this.#doneText(route, done)),
      ...Array.from(this.#refused, ([route, { count, why }]) => `Left ${letters(count)} of ${route}: ${why}.\n`),
      ...(isReplay && this.#running === true ? [`${GOING}\n`] : []),
      ...(isReplay && this.#running === false ? [`${WAITING}\n`] : []),
    ].join('');
  }

  #doneText(route: string, { count, first, replay }: Done): string {
    const number = replay === undefined ? '' : ` (its replay ${replay})`;
    const more = count > first.length ? ', …' : '';
    return `${this.#verb} ${letters(count)} of ${route}${number}: ${first.join(', ')}${more}\n`;
  }
}

const GOING =
  'They are on their way; what dies again is a dead letter again. `kube-fanout trace` says what becomes of each.';
const WAITING = 'No daemon runs: they go out when one does.';

function letters(n: number): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? 'dead letter' : 'dead letters'}`;
}
