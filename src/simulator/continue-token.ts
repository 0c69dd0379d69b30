import { z } from 'zod';
import { badRequest } from './status.ts';

/** Where a list goes on: behind `after`, which is a key without the part that the path says, at `resourceVersion`. */
export interface ContinueToken {
  /** Undefined: at the present, whatever was listed before (a token that came with a 410). */
  readonly resourceVersion: number | undefined;
  readonly start: string;
}

const VERSION = 'meta.k8s.io/v1';
const payload = z.object({ v: z.literal(VERSION), rv: z.int().refine((rv) => rv !== 0), start: z.string().min(1) });

export function continueAfter(key: string, resourceVersion: number | undefined): string {
  return encode({ resourceVersion, start: `${key}\0` });
}

export function inconsistent({ start }: ContinueToken): string {
  return encode({ resourceVersion: undefined, start });
}

/** Throws 400 on what this server has not made. */
export function parseContinueToken(token: string): ContinueToken {
  try {
    const { rv, start } = payload.parse(JSON.parse(Buffer.from(token, 'base64url').toString()));
    return { resourceVersion: rv < 0 ? undefined : rv, start };
  } catch {
    throw badRequest('invalid continue token: continue key is not valid');
  }
}

function encode({ resourceVersion, start }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: VERSION, rv: resourceVersion ?? -1, start })).toString('base64url');
}
