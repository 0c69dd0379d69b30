import { readFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { z } from 'zod';
import { choice } from './choice.ts';

/** A value that must never be shown. It can be asked for, and prints as `[secret]` wherever it ends up otherwise. */
export class Secret {
  readonly #reveal: () => Promise<string>;
  /** Where it is kept, which is no secret: what differs in it has been changed. */
  readonly origin: string;
  constructor(reveal: () => Promise<string>, origin: string) {
    this.#reveal = reveal;
    this.origin = origin;
  }

  /** A file is read again by every call, so that a rotated secret is taken up by the next connect. */
  static fromFile(path: string): Secret {
    return new Secret(async () => (await readFile(path, 'utf8')).replace(/\r?\n$/, ''), `file ${path}`);
  }

  static fromEnv(name: string): Secret {
    return new Secret(async () => {
      const value = process.env[name];
      if (value === undefined) throw new Error(`The environment variable ${name} is not set.`);
      return value;
    }, `environment variable ${name}`);
  }

  static of(value: string): Secret {
    return new Secret(async () => value, 'given');
  }

  reveal(): Promise<string> {
    return this.#reveal();
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

export const PLAIN_SECRET = 'A secret is not written here in plain text: say { file: PATH } or { env: NAME }.';

/**
 * How a secret is written in a config file: `{ file: PATH }` or `{ env: NAME }`. Plain text is refused, for such files
 * end up in a repository.
 */
export function secret() {
  const name = z.string().min(1);
  return choice({ file: name, env: name }, PLAIN_SECRET).transform(({ file, env }) =>
    file === undefined ? Secret.fromEnv(env ?? '') : Secret.fromFile(file),
  );
}
