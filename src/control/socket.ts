/** sun_path of a Unix socket's address holds 108 bytes on Linux, the last of them a zero. */
const MAX_BYTES = 107;

/** Where the daemon of this journal listens. It is beside the file, so that whoever finds the one finds the other. */
export function socketOf(journal: string): string {
  return `${journal}.sock`;
}

/** Why nobody can listen there, or undefined. */
export function tooLong(socket: string): string | undefined {
  const bytes = Buffer.byteLength(socket);
  if (bytes <= MAX_BYTES) return undefined;
  return `the name of the socket ${socket} has ${bytes} bytes, and the system takes ${MAX_BYTES}: give journal.path a shorter one`;
}
