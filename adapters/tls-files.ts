import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const path = z.string().min(1);

/** The files of a TLS connection: who vouches for the broker, and our own certificate where the broker asks for one. */
export const tlsFiles = z
  .strictObject({ ca: path.optional(), cert: path.optional(), key: path.optional() })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), 'cert and key only together');
export type TlsFiles = z.output<typeof tlsFiles>;

/** What those files hold, read anew at each connect. Rejects with the option and the path of one that cannot be read. */
export async function readTls(files: TlsFiles = {}): Promise<{ ca?: string; cert?: string; key?: string }> {
  const contents = Object.entries(files).map(async ([option, file = '']) => {
    try {
      return [option, await readFile(file, 'utf8')];
    } catch (cause) {
      throw new Error(`tls.${option}: cannot read ${file}. Does it exist, and may this user read it?`, { cause });
    }
  });
  return Object.fromEntries(await Promise.all(contents));
}
