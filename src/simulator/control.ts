import { z } from 'zod';
import type { Answer } from './events-api.ts';
import type { Faults } from './faults.ts';
import { loadOptions } from './load.ts';
import { NAMESPACE_NAME } from './namespaces.ts';
import { SCENARIOS } from './scenarios.ts';
import type { Simulator } from './simulator.ts';
import { badRequest, unknownPath } from './status.ts';

interface Control {
  readonly sentence: string;
  run(faults: Faults, body: unknown): void;
}

function control<Body>(sentence: string, schema: z.ZodType<Body>, run: (faults: Faults, body: Body) => void): Control {
  return { sentence, run: (faults, body) => run(faults, parse(schema, body)) };
}

const nothing = z.strictObject({});
const requests = z.int().positive().default(1);

/** The faults by the names that `POST /faults/NAME` takes. */
const FAULTS: Readonly<Record<string, Control>> = {
  compact: control(
    'Forget the history before {resourceVersion}, or all of it.',
    z.strictObject({ resourceVersion: z.int().optional() }),
    (faults, body) => faults.compact(body.resourceVersion),
  ),
  'close-watches': control('End every watch cleanly.', nothing, (faults) => faults.closeWatches()),
  expire: control(
    'Tell the next {requests} watches that they are too old, in {form}: http, line or silent.',
    z.strictObject({ form: z.enum(['http', 'line', 'silent']).default('line'), requests }),
    (faults, body) => faults.expire(body.form, body.requests),
  ),
  answer: control(
    'Answer the next {requests} requests, of any, list or watch {of}, with {code} and {retryAfterSeconds}.',
    z.strictObject({
      code: z.literal([401, 403, 410, 429, 500, 503, 504]),
      retryAfterSeconds: z.int().nonnegative().optional(),
      requests,
      of: z.enum(['any', 'list', 'watch']).default('any'),
    }),
    (faults, body) => faults.answer(body),
  ),
  stall: control(
    'Accept the next {requests} watches and send them nothing.',
    z.strictObject({ requests }),
    (faults, body) => faults.stall(body.requests),
  ),
  cut: control(
    'Break every watch at that {byte} of what it is sent next.',
    z.strictObject({ byte: z.int().nonnegative().default(100) }),
    (faults, body) => faults.cut(body.byte),
  ),
  garbage: control(
    'Send every watch a {line} that is no Event.',
    z.strictObject({ line: z.string().default('{"type":"ADDED","object":') }),
    (faults, body) => faults.garbage(body.line),
  ),
  'half-open': control('Every open watch is dead, and only the server knows.', nothing, (faults) => faults.halfOpen()),
  restore: control(
    'Set the cluster back to {resourceVersion}, as an etcd restored from a backup.',
    z.strictObject({ resourceVersion: z.int().positive() }),
    (faults, body) => faults.restore(body.resourceVersion),
  ),
  advance: control(
    'Let {revisions} pass that are not of Events.',
    z.strictObject({ revisions: z.int().positive().default(1) }),
    (faults, body) => faults.advance(body.revisions),
  ),
  hide: control(
    'Tell no watch of the next {changes} of Events; lists have them.',
    z.strictObject({ changes: z.int().positive().default(1) }),
    (faults, body) => faults.hide(body.changes),
  ),
  clear: control('Forget the faults that still wait for a request.', nothing, (faults) => faults.clear()),
};

const scenarioBody = z.strictObject({
  namespace: z.string().regex(NAMESPACE_NAME).optional(),
  speed: z.number().positive().optional(),
});

/** What is asked of the simulator itself, not of the API server that it plays; undefined when it is none of that. */
export async function answerControl(
  simulator: Simulator,
  { method, path, query, body }: { method: string; path: string; query: URLSearchParams; body: () => Promise<unknown> },
): Promise<Answer | undefined> {
  const [, kind, name, ...rest] = path.split('/');
  if (rest.length > 0) return undefined;
  const post = method === 'POST';
  if (kind === 'emitted' && !post) return emitted(simulator, query);
  if (kind === 'load' && post) {
    const options = parse(loadOptions, await body());
    simulator.start(simulator.load(options));
    return accepted(options);
  }
  if (kind === 'scenarios') {
    if (name === undefined) return sentences(SCENARIOS);
    if (!post || !Object.hasOwn(SCENARIOS, name)) throw unknownPath();
    const options = parse(scenarioBody, (await body()) ?? {});
    simulator.start(simulator.play(name, options));
    return accepted({ scenario: name, ...options });
  }
  if (kind === 'faults') {
    if (name === undefined) return sentences(FAULTS);
    const fault = Object.hasOwn(FAULTS, name) ? FAULTS[name] : undefined;
    if (!post || fault === undefined) throw unknownPath();
    fault.run(simulator.faults, (await body()) ?? {});
    return accepted({ fault: name, resourceVersion: simulator.resourceVersion });
  }
  return undefined;
}

/** The count of what was emitted; with `?from=N` a line `uid resourceVersion milliseconds` for each of the next. */
function emitted({ emitted: log }: Simulator, query: URLSearchParams): Answer {
  const from = query.get('from');
  if (from === null) return { code: 200, body: JSON.stringify({ count: log.count }) };
  const lines = log
    .from(Number(from))
    .map(({ uid, resourceVersion, at }) => `${uid} ${resourceVersion} ${at.toFixed(3)}\n`);
  return { code: 200, body: [...lines].join('') };
}

function accepted(what: object): Answer {
  return { code: 202, body: JSON.stringify(what) };
}

function sentences(of: Readonly<Record<string, { readonly sentence: string }>>): Answer {
  const told = Object.fromEntries(Object.entries(of).map(([name, { sentence }]) => [name, sentence]));
  return { code: 200, body: JSON.stringify(told, undefined, 2) };
}

function parse<Body>(schema: z.ZodType<Body>, body: unknown): Body {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw badRequest(z.prettifyError(parsed.error));
}
