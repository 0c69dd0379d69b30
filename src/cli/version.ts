import { readFileSync } from 'node:fs';

export const VERSION = readVersion();

/** package.json lies two folders up in a checkout, and three from the published dist/src/cli. */
function readVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
      if (name === 'kube-fanout') return version;
    } catch {}
  }
  return '0.0.0';
}
