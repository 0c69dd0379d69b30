import { readFile } from 'node:fs/promises';
import { inspect } from 'node:util';

/** A value that must never be shown. It can be asked for, and prints as `[secret]` wherever it ends up otherwise. */
export class Secret {
  readonly #reveal: () => Promise<string>;
  constructor(reveal: () => Promise<string>) {
    this.#reveal = reveal;
  }

  /** A file is read again by every call, so that a rotated secret is taken up by the next connect. */
  static fromFile(path: string): Secret {
    return new Secret(async () => (await readFile(path, 'utf8')).replace(/\r?\n$/, ''));
  }

  static of(value: string): Secret {
    return new Secret(async () => value);
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
