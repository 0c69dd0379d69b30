import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from './machine.ts';

/** Files of a new certificate authority and of a server certificate for 127.0.0.1 and localhost. */
export interface Certificates {
  /** The authority's certificate, for clients. */
  readonly ca: string;
  readonly caFile: string;
  readonly certFile: string;
  /** PKCS #8, without a pass phrase. */
  readonly keyFile: string;
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];

export async function createCertificates(directory: string): Promise<Certificates> {
  const file = (name: string) => join(directory, name);
  const [caFile, caKey, certFile, keyFile] = [file('ca.pem'), file('ca.key'), file('server.pem'), file('server.key')];
  const authority = ['-subj', '/CN=kube-fanout test authority', '-addext', 'keyUsage=critical,keyCertSign'];
  await command('openssl', ['req', '-x509', ...KEY, ...authority, '-keyout', caKey, '-out', caFile]);
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const server = ['-addext', 'basicConstraints=critical,CA:FALSE', ...names, '-CA', caFile, '-CAkey', caKey];
  await command('openssl', ['req', '-x509', ...KEY, ...server, '-keyout', keyFile, '-out', certFile]);
  return { ca: await readFile(caFile, 'utf8'), caFile, certFile, keyFile };
}
