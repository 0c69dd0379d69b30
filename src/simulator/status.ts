/**
 * The ways in which an API server says no:
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
 */

interface StatusCause {
  readonly reason?: string;
  readonly message: string;
  readonly field?: string;
}

interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: { readonly continue?: string };
  readonly status: 'Failure';
  readonly message: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code: number;
}

interface Failure {
  readonly code: number;
  readonly reason?: string;
  readonly message: string;
  readonly details?: StatusDetails;
  readonly continue?: string;
}

/** Thrown by whatever handles a request; the server answers it as the Status object that it carries. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: Status;

  constructor({ code, reason, message, details, continue: token }: Failure) {
    super(message);
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: token === undefined ? {} : { continue: token },
      status: 'Failure',
      message,
      ...(reason === undefined ? {} : { reason }),
      ...(details === undefined ? {} : { details }),
      code,
    };
  }
}

export const badRequest = (message: string) => new ApiError({ code: 400, reason: 'BadRequest', message });

export const notFound = (kind: string, name: string) =>
  new ApiError({ code: 404, reason: 'NotFound', message: `${kind} "${name}" not found`, details: { name, kind } });

export const unknownPath = () =>
  new ApiError({
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
    details: {},
  });

export const alreadyExists = (kind: string, name: string) =>
  new ApiError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${kind} "${name}" already exists`,
    details: { name, kind },
  });

export const conflict = (name: string) =>
  new ApiError({
    code: 409,
    reason: 'Conflict',
    message: `events "${name}" cannot be written: the object has been modified since it was read`,
    details: { name, kind: 'events' },
  });

/** 422: the request can be read, and what it asks for breaks a rule. */
export function invalid(
  what: { kind: string; name: string; group?: string },
  causes: readonly Required<StatusCause>[],
) {
  const told = causes.map(({ field, message }) => `${field}: ${message}`);
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: `${what.kind} "${what.name}" is invalid: ${told.length === 1 ? told[0] : `[${told.join(', ')}]`}`,
    details: { ...what, causes },
  });
}

/** The history up to there has been compacted. With `token`, the rest of a list can still be had, inconsistently. */
export function expired(what: 'list' | 'watch' | { readonly token: string }): ApiError {
  if (typeof what === 'string') {
    const message = `The resourceVersion for the provided ${what} is too old.`;
    return new ApiError({ code: 410, reason: 'Expired', message });
  }
  return new ApiError({
    code: 410,
    reason: 'Expired',
    message:
      'The continue token is too old for a consistent list: start again without it, or go on with the token in this ' +
      'answer and accept that what was written since the first page may or may not appear.',
    continue: what.token,
  });
}

export function tooLargeResourceVersion(asked: number, current: number, retryAfterSeconds?: number): ApiError {
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
  return new ApiError({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: ${asked}, current: ${current}`,
    details: { causes, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) },
  });
}
