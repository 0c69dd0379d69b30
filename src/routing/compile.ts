import type { AdapterType, RejectReason } from '../adapter.ts';
import type { JournalRecord, RouteName } from '../journal/record.ts';
import { compileExpression } from './cel.ts';
import { decidingPart } from './deciding-part.ts';
import type { CompiledRoute, Decision, Explanation } from './route.ts';
import { compileTemplate } from './template.ts';
import { viewOf } from './view.ts';

/** What a config says of a route, complete and checked, before it is compiled. */
export interface RouteConfig {
  readonly name: RouteName;
  readonly broker: string;
  /** CEL; undefined takes every Event. */
  readonly when: string | undefined;
  /** In which line of its file each character of `when` stands, counted from 1. */
  readonly whenLines?: readonly number[] | undefined;
  /** The topic or subject, with `{expression}` in it; undefined where the broker has only one destination. */
  readonly destination: string | undefined;
  /** CEL; undefined is the object key. */
  readonly key: string | undefined;
  /** What the adapter's `routeOptions` made of the rest of `to`. */
  readonly options: unknown;
  readonly gaps: boolean;
  readonly maxAgeMs: number | undefined;
  readonly atQuota: 'expire' | 'block';
  readonly startFrom: 'now' | 'oldest';
}

/**
 * Throws ExpressionError or TemplateError for what the check of the config would have refused.
 *
 * A damaged record is a dead letter. A gap record skips `when` and `maxAge`, for it speaks of the stream and not of an
 * object. `when` comes before `maxAge`, so that only what the route wanted counts as expired. An expression that fails
 * for an Event makes a dead letter of it: never a silent no.
 */
export function compileRoute(config: RouteConfig, type: AdapterType): CompiledRoute {
  const rules = type.destination;
  const when = config.when === undefined ? undefined : compileExpression(config.when);
  const key = config.key === undefined ? undefined : compileExpression(config.key);
  const name = compileTemplate(config.destination ?? type.name, rules);

  const judge = (record: JournalRecord, now: number): Decision => {
    if (!record.intact) return reject('corrupt-record', 'Its record in the journal is damaged, or gone.');
    if (record.kind === 'gap') {
      if (!config.gaps) return { kind: 'filtered' };
    } else {
      if (when !== undefined && run('when', () => when.evaluate(viewOf(record))) !== true) return { kind: 'filtered' };
      if (config.maxAgeMs !== undefined && now - Date.parse(record.attributes.time) > config.maxAgeMs) {
        return { kind: 'expired' };
      }
    }
    const destination = name.constant ?? run(rules.field ?? 'destination', () => name.render(viewOf(record)));
    const refusal = name.constant === undefined ? rules.refuse(destination) : undefined;
    if (refusal !== undefined) return reject('invalid-destination', refusal);
    const messageKey = key === undefined ? record.key : String(run('key', () => key.evaluate(viewOf(record))));
    return { kind: 'publish', destination, key: messageKey };
  };

  const decide = (record: JournalRecord, now: number): Decision => {
    try {
      return judge(record, now);
    } catch (error) {
      return reject('invalid-message', error instanceof Error ? error.message : 'It cannot be routed.');
    }
  };
  const whatDecides = decidingPart(config.when ?? 'true');
  const explain = (record: JournalRecord, now: number): Explanation => {
    const decision = decide(record, now);
    if (decision.kind === 'expired') {
      return { ...decision, ageMs: now - Date.parse(record.attributes.time), maxAgeMs: config.maxAgeMs ?? 0 };
    }
    if (decision.kind !== 'filtered') return decision;
    if (record.kind === 'gap') return { ...decision, by: 'gaps' };
    const { start, ...part } = whatDecides(viewOf(record));
    return { ...decision, by: 'when', ...part, line: config.whenLines?.[start] };
  };

  return {
    name: config.name,
    broker: config.broker,
    startFrom: config.startFrom,
    atQuota: config.atQuota,
    constantDestination: name.constant,
    decide,
    explain,
  };
}

function reject(reason: RejectReason, detail: string): Decision {
  return { kind: 'reject', reason, detail };
}

/** The library's own message goes on with an excerpt of the expression, which has no place in a dead letter. */
function run<Result>(what: string, evaluate: () => Result): Result {
  try {
    return evaluate();
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n', 1)[0] : 'unknown';
    throw new Error(`The route's \`${what}\` fails for this Event: ${why}.`, { cause: error });
  }
}
