/** Each promise is one function over the recorded history; what it says when it is broken is the promise. */
import { disorderIn, idOf } from '../main-job/books.ts';
import { placeOf } from '../main-job/seen.ts';
import { type Class, classify } from './classes.ts';
import type { History, RouteHistory } from './history.ts';
import type { RouteCounters } from './scrape.ts';

/** Gives every way in which the promise is broken, in words; none when it holds. */
export type Promised = (history: History) => readonly string[];

/** What a crash may repeat on one route. */
export const WINDOW = 2_048;

export const PROMISES: Readonly<Record<string, Promised>> = {
  'At least once': (history) =>
    history.routes.flatMap((route) => {
      const { of } = classify(history, route);
      const missing = idsOf(of, 'missing').map((id) => ({ id }));
      const lost = idsOf(of, 'lost by broker').map((id) => ({ id }));
      return [
        ...say(missing, `every revision that the API server could still give is delivered, but ${route.route} misses`),
        ...(history.brokersMayLose.includes(route.broker)
          ? []
          : say(lost, `what has a receipt is on the broker, but ${route.route} has not`)),
      ];
    }),

  'In order per object': (history) =>
    history.routes.flatMap(({ route, seen }) => {
      const late = outOfOrder(seen, history.journal);
      return late.length === 0
        ? []
        : `revisions of one object arrive in their order, but on ${route} these came after a newer one: ${excerpt(late)}`;
    }),

  'One identity': (history) =>
    history.routes.flatMap(({ route, seen }) => {
      const written = new Set(history.truth.filter(({ deleted }) => !deleted).map(idOf));
      const contents = new Map<string, string>();
      const twofold = seen.filter(({ id, sequence, data }) => {
        const content = `${sequence} ${JSON.stringify(data)}`;
        const before = contents.get(id);
        contents.set(id, content);
        return before !== undefined && before !== content;
      });
      const unknown = seen.filter(({ id, type }) => type === 'kube-fanout.event.v1' && !written.has(id));
      return [
        ...say(twofold, `one id is one content for ever, but ${route} got two for`),
        ...say(unknown, `every CloudEvent is a revision that etcd stored, but ${route} got`),
      ];
    }),

  'Nothing silent': (history) => [
    ...unbalanced(history),
    ...history.routes.flatMap((route) => miscounted(history, route)),
  ],

  'A dead letter can never pass': (history) => history.routes.flatMap((route) => wrongDeaths(history, route)),

  'Paper trail': (history) =>
    history.routes.flatMap((route) => {
      const elsewhere = history.brokersMayLose.includes(route.broker) ? [] : misplaced(history, route);
      return say(elsewhere, `a receipt names where the broker has it, but these of ${route.route} do not:`);
    }),

  Bounded: (history) => {
    const most = Math.max(0, ...history.scrapes.map(({ rssMiB }) => rssMiB));
    const limit = (1 + history.kills) * WINDOW;
    return [
      ...(most > history.memoryMiB
        ? [`memory stays below ${history.memoryMiB} MiB, but it was ${Math.round(most)} MiB`]
        : []),
      ...history.routes.flatMap(({ route, seen }) => {
        const repeats = repeatsIn(seen);
        return repeats > limit
          ? `a crash repeats one window of ${WINDOW} at most, but ${route} got ${repeats} repeats in ${history.kills} crashes`
          : [];
      }),
    ];
  },

  'It comes back': ({ recoveryMs }) =>
    recoveryMs === undefined
      ? ['everything goes on by itself when the fault is over, but it did not come to rest']
      : [],

  'It was a test': ({ truth, atLeast }) =>
    truth.length < atLeast ? [`${atLeast} revisions were to be written, and only ${truth.length} were`] : [],
};

/**
 * Within each epoch; what retention has taken was of the only one, where there is no other. A gap record is no revision, and
 * has no part in the order of objects; what an operator has sent again is marked as such, and says nothing of the order.
 */
function outOfOrder(seen: RouteHistory['seen'], { records }: History['journal']): string[] {
  const epochs = new Set(records.values());
  const [only] = epochs.size === 1 ? epochs : [];
  const first = seen.filter(
    ({ type, attributes }) => type === 'kube-fanout.event.v1' && attributes.origin !== 'replay',
  );
  return disorderIn(first, ({ part, partitionkey, id }) => `${part}\n${partitionkey}\n${records.get(id) ?? only}`);
}

export function repeatsIn(seen: RouteHistory['seen']): number {
  return seen.length - new Set(seen.map(({ id, attributes }) => `${id} ${attributes.origin === 'replay'}`)).size;
}

/** The books at every look that somebody took, and in the end in the file itself. */
function unbalanced({ scrapes, journal }: History): string[] {
  const looks = [
    ...scrapes.flatMap(({ at, routes }) => [...routes].map(([route, counters]) => ({ at, route, counters }))),
    ...[...journal.routes].map(([route, { counters }]) => ({ at: undefined, route, counters })),
  ];
  const wrong = looks.filter(({ counters }) => counters.read !== sumOf(counters));
  const [first] = wrong;
  if (first === undefined) return [];
  const when = first.at === undefined ? 'in the file' : `at ${new Date(first.at).toISOString()}`;
  return [
    `read = delivered + filtered + limited + dead + expired + pending at all times, but ${wrong.length} of ${looks.length} ` +
      `times it was not; first on ${first.route} ${when}: ${JSON.stringify(first.counters)}`,
  ];
}

/** What `read` must be at every look. */
export function sumOf({ delivered, filtered, limited, dead, expired, pending }: RouteCounters): number {
  return delivered + filtered + limited + dead + expired + pending;
}

/** The counters say what the rows say, and what the subscribers have: each is counted here from something else. */
function miscounted(history: History, route: RouteHistory): string[] {
  const stopped = history.journal.routes.get(route.route);
  if (stopped === undefined) return [`every route has a row in the journal, but ${route.route} has none`];
  const { counters, receipts, dead, waiting } = stopped;
  const { of } = classify(history, route);
  const counted: readonly (readonly [string, number, number])[] = [
    // A receipt goes with its record.
    ...(history.journal.trimmed
      ? []
      : [['a receipt for each that is delivered', receipts, counters.delivered] as const]),
    ['a row for each dead letter', dead.size, counters.dead],
    ['a row for each that waits', waiting.size, counters.pending],
    ['nothing filtered but what the route does not want', idsOf(of, 'filtered').length, counters.filtered],
  ];
  const wrong = counted.filter(([, rows, counter]) => rows !== counter);
  const excused = idsOf(of, 'expired');
  const unread = idsOf(of, 'missing').filter((id) => !history.journal.records.has(id));
  return [
    ...wrong.map(([what, rows, counter]) => `${route.route} has ${what}: ${rows} found, ${counter} counted`),
    ...(excused.length > counters.expired
      ? [
          `what the gap of a quota excuses has expired, but of ${excerpt(excused)} that ${route.route} misses only ${counters.expired} have`,
        ]
      : []),
    ...(unread.length > 0 ? [`a gap record covers what was never read, but none covers ${excerpt(unread)}`] : []),
  ];
}

/** Those that died without a reason or for another one, and those that should have died. */
function wrongDeaths({ truth, journal }: History, { route, takes, dies }: RouteHistory): string[] {
  const dead = journal.routes.get(route)?.dead ?? new Map<string, string>();
  const taken = truth.filter((revision) => !revision.deleted && takes(revision));
  const fates = taken.map((revision) => ({ id: idOf(revision), died: dead.get(idOf(revision)), must: dies(revision) }));
  // A damaged record is no verdict on the message.
  const wrong = fates.filter(({ died, must }) => died !== undefined && died !== must && died !== 'corrupt-record');
  const alive = fates.filter(({ died, must }) => died === undefined && must !== undefined);
  const named = wrong.map(({ id, died }) => ({ id: `${id}: ${died}` }));
  return [
    ...say(named, `only what can never pass is a dead letter, with its reason, but on ${route} also`),
    ...say(alive, `what can never pass is a dead letter, but on ${route} not`),
  ];
}

/** Receipts of what a subscriber has found, but nowhere where the receipt says. */
function misplaced({ journal }: History, { route, seen }: RouteHistory): { readonly id: string }[] {
  const found = Map.groupBy(seen, ({ id }) => id);
  return [...(journal.routes.get(route)?.acknowledged ?? [])].flatMap(([id, receipt]) => {
    const places = found.get(id)?.flatMap(({ place }) => place ?? []) ?? [];
    return places.length === 0 || places.includes(placeOf(JSON.parse(receipt))) ? [] : { id: `${id}: ${receipt}` };
  });
}

function idsOf(of: ReadonlyMap<string, Class>, which: Class): string[] {
  return [...of].flatMap(([id, one]) => (one === which ? id : []));
}

function say(found: readonly { readonly id: string }[], what: string): string[] {
  return found.length === 0 ? [] : [`${what} ${excerpt(found.map(({ id }) => id))}`];
}

function excerpt(ids: readonly string[]): string {
  return `${ids.length} (${ids.slice(0, 5).join(', ')}${ids.length > 5 ? ', …' : ''})`;
}

/** Every broken promise of a history, each with its name. */
export function broken(history: History): string[] {
  return Object.entries(PROMISES).flatMap(([name, promised]) => promised(history).map((what) => `${name}: ${what}`));
}
