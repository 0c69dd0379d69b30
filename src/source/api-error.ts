/** What the API server answers when it does not do what it was asked, in whatever form it says so. */

/** The parts of a Kubernetes `Status` that decide what happens next. Anything of another type counts as absent. */
export interface Status {
  readonly code: number | undefined;
  readonly reason: string | undefined;
  readonly message: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** Where an expired list can go on, in the present instead of in its snapshot. */
  readonly continue: string | undefined;
}

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: Status;

  constructor(message: string, status: Status) {
    super(message);
    this.status = status;
  }

  /**
   * The history that was asked for is gone. It is HTTP 410, or a line of a watch with that code; the reason is Expired,
   * or Gone from older servers; and etcd's own words have come through as a plain 500.
   */
  get expired(): boolean {
    const { code, reason, message } = this.status;
    return code === 410 || reason === 'Expired' || reason === 'Gone' || /has been compacted/.test(message ?? '');
  }

  get afterMs(): number | undefined {
    const seconds = this.status.retryAfterSeconds;
    return seconds === undefined ? undefined : Math.min(seconds, MAX_RETRY_AFTER_SECONDS) * 1000;
  }
}

/** A resourceVersion that is not a decimal number: nothing can be put in order by it. */
export class UnorderedError extends Error {
  override readonly name = 'UnorderedError';

  constructor(found: unknown) {
    super(
      `the API server names the resourceVersion ${JSON.stringify(found)?.slice(0, 80)}, which is not a decimal number: ` +
        'kube-fanout cannot tell what is older and what is newer there (it relies on KEP-5504), so it reads nothing',
    );
  }
}

/** A line of a watch that no API server sends: something on the way has changed the bytes. */
export class DamagedLineError extends Error {
  override readonly name = 'DamagedLineError';
}

/** No server in its senses sends a client away for longer. */
const MAX_RETRY_AFTER_SECONDS = 300;

/** `object` is a Status, or whatever else the server or a proxy has sent instead. */
export function statusIn(object: unknown): Status {
  const status = fieldsOf(object);
  const retryAfter = fieldsOf(status.details).retryAfterSeconds;
  const token = fieldsOf(status.metadata).continue;
  return {
    code: typeof status.code === 'number' ? status.code : undefined,
    reason: typeof status.reason === 'string' ? status.reason : undefined,
    message: typeof status.message === 'string' ? status.message.slice(0, 500) : undefined,
    retryAfterSeconds: typeof retryAfter === 'number' && retryAfter > 0 ? retryAfter : undefined,
    continue: typeof token === 'string' && token !== '' ? token : undefined,
  };
}

const NOTHING: Readonly<Record<string, unknown>> = {};

/** The fields of a JSON object; none of anything else. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : NOTHING;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
