/** A disk of which single calls fail, for a process of its own: a library that stands before C's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { command, missing } from '../backends/machine.ts';

export const CALLS = ['read', 'write', 'sync', 'truncate'] as const;

/** Which calls on files whose path begins with `path` fail: the so manieth of its kind, or that and all behind it. */
interface Failing {
  readonly path: string;
  readonly call: (typeof CALLS)[number];
  readonly number: number;
  readonly how: 'once' | 'for ever';
  readonly error: 'EIO' | 'EROFS';
}

const ERRNO = { EIO: 5, EROFS: 30 };

const SOURCE = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int calls;

static int fails(const char *call, int fd) {
  const char *wanted = getenv("FAIL_CALL"), *start = getenv("FAIL_PATH");
  if (!wanted || !start || strcmp(wanted, call)) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (strncmp(path, start, strlen(start))) return 0;
  int at = ++calls, number = atoi(getenv("FAIL_NUMBER"));
  if (at < number || (at > number && strcmp(getenv("FAIL_HOW"), "for ever"))) return 0;
  errno = atoi(getenv("FAIL_ERRNO"));
  return 1;
}

__attribute__((destructor)) static void told(void) { fprintf(stderr, "%d", calls); }

#define CALL(kind, type, name, parameters, arguments) \\
  type name parameters { \\
    static type(*real) parameters; \\
    if (!real) real = dlsym(RTLD_NEXT, #name); \\
    return fails(kind, fd) ? -1 : real arguments; \\
  }

CALL("read", ssize_t, read, (int fd, void *bytes, size_t size), (fd, bytes, size))
CALL("read", ssize_t, pread64, (int fd, void *bytes, size_t size, off64_t at), (fd, bytes, size, at))
CALL("write", ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
CALL("write", ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off64_t at), (fd, bytes, size, at))
CALL("sync", int, fsync, (int fd), (fd))
CALL("sync", int, fdatasync, (int fd), (fd))
CALL("truncate", int, ftruncate, (int fd, off_t size), (fd, size))
CALL("truncate", int, ftruncate64, (int fd, off64_t size), (fd, size))
`;

/** Why there cannot be one on this machine, in words. */
export async function noFailingDisk(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'only Linux knows LD_PRELOAD';
  return (await missing('cc')).length > 0 ? 'no C compiler is installed' : undefined;
}

export class FailingDisk {
  readonly #library: string;

  private constructor(library: string) {
    this.#library = library;
  }

  static async in(directory: string): Promise<FailingDisk> {
    const [source, library] = [join(directory, 'failing-disk.c'), join(directory, 'failing-disk.so')];
    await writeFile(source, SOURCE);
    await command('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
    return new FailingDisk(library);
  }

  /** Runs a program of Node's: what it said, how it ended, and how many calls of the kind there were. */
  async run({ path, call, number, how, error }: Failing, args: readonly string[]) {
    const fail = { FAIL_CALL: call, FAIL_PATH: path, FAIL_NUMBER: String(number), FAIL_HOW: how };
    const env = { ...process.env, ...fail, FAIL_ERRNO: String(ERRNO[error]), LD_PRELOAD: this.#library };
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(child, 'exit');
    const [said, calls, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    const lines: unknown[] = said.split('\n').flatMap((line) => (line === '' ? [] : JSON.parse(line)));
    return { lines, code, calls: Number(calls) };
  }
}
