import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, rmSync, statfsSync, statSync, truncateSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { meaningOf } from './failure.ts';

const MIB = 1024 * 1024;
const MOST_BYTES = 32 * MIB;
const LEAST_BYTES = MIB;
/** A commit that finds no room is given a quarter of the reserve at a time: whoever fills the disk takes no more of it. */
const PARTS = 4;

/**
 * Room that is kept for a full disk: on one, nothing can be settled, nor deleted, nor moved out of the WAL without a
 * little room first. It is a file beside the journal, `<path>-reserve`, of bytes that no file system can leave out, and
 * it is given back part by part. It is whole again when the disk has room for what is missing, and a part to spare.
 */
export class Reserve {
  readonly size: number;
  readonly #path: string;
  #held: number;

  /** An eighth of the quota, twice what the WAL may have; of a stopped daemon's journal, without one, what is there. */
  constructor(path: string, maxBytes: number) {
    this.#path = `${path}-reserve`;
    this.#held = this.#onDisk();
    this.size = Number.isFinite(maxBytes) ? sizeFor(Math.min(maxBytes, diskBytes(path))) : this.#held;
    if (this.#held > this.size) this.#cut(this.size);
    this.restore();
  }

  /** Bytes of it that are on the disk. */
  get held(): number {
    return this.#held;
  }

  get whole(): boolean {
    return this.#held >= this.size;
  }

  /** Gives a part of it back to the disk; false when nothing is left. */
  release(): boolean {
    if (this.#held === 0) return false;
    this.#cut(Math.max(0, this.#held - Math.ceil(this.size / PARTS)));
    return true;
  }

  /** Makes it whole if there is room; whether it is. */
  restore(): boolean {
    if (this.whole) return true;
    const missing = this.size - this.#held;
    if (availableBytes(this.#path) < missing + this.size / PARTS) return false;
    try {
      this.#grow(missing);
    } catch (error) {
      // Somebody else was faster, or may use more of the disk than this user.
      this.#cut(this.#held);
      if (!isFull(error)) throw new Error(`its reserve for a full disk cannot be written: ${meaningOf(error)}`);
    }
    return this.whole;
  }

  #grow(bytes: number): void {
    // A file system that compresses would keep zeros without room.
    const block = randomFillSync(Buffer.alloc(Math.min(bytes, MIB)));
    const file = openSync(this.#path, 'a', 0o600);
    try {
      for (let left = bytes; left > 0; ) left -= writeSync(file, block, 0, Math.min(left, block.length));
    } finally {
      closeSync(file);
    }
    this.#held += bytes;
  }

  #cut(bytes: number): void {
    this.#held = 0;
    try {
      if (bytes === 0) rmSync(this.#path, { force: true });
      else truncateSync(this.#path, bytes);
      this.#held = bytes;
    } catch {
      // It is not there, or nobody may change it: then it is no reserve.
    }
  }

  /** After a crash the file may be longer than what the disk holds of it. */
  #onDisk(): number {
    const file = statSync(this.#path, { throwIfNoEntry: false });
    if (!file?.isFile()) return 0;
    if (file.blocks * 512 >= file.size) return file.size;
    this.#cut(0);
    return 0;
  }
}

function sizeFor(maxBytes: number): number {
  return Math.round(Math.min(MOST_BYTES, Math.max(LEAST_BYTES, maxBytes / 8)));
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/** What an ordinary user may still write to the file system that `path` lies on. */
function availableBytes(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(resolve(path)));
  return bavail * bsize;
}

/** The size of the file system that `path` lies on; what tells no size is taken as endless. */
export function diskBytes(path: string): number {
  const { blocks, bsize } = statfsSync(dirname(resolve(path)));
  return blocks > 0 ? blocks * bsize : Number.POSITIVE_INFINITY;
}
