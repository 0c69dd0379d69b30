import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format, inspect } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { PLAIN_SECRET, Secret, secret } from '../src/secret.ts';

describe('a secret', () => {
  it('is not printed by anything', () => {
    const hidden = { password: Secret.of('hunter2') };
    for (const printed of [`${hidden.password}`, JSON.stringify(hidden), inspect(hidden), format('%o', hidden)]) {
      expect(printed).not.toContain('hunter2');
    }
  });

  it('in a file is read again each time, without its last line break', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kube-fanout-secret-'));
    try {
      const file = join(folder, 'password');
      const kept = secret().parse({ file });
      writeFileSync(file, 'first\n');
      expect(await kept.reveal()).toBe('first');
      writeFileSync(file, 'second\r\n');
      expect(await kept.reveal()).toBe('second');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('in an environment variable is taken from there, and missed by its name', async () => {
    const kept = secret().parse({ env: 'KUBE_FANOUT_TEST_SECRET' });
    vi.stubEnv('KUBE_FANOUT_TEST_SECRET', 'hunter2');
    expect(await kept.reveal()).toBe('hunter2');
    vi.stubEnv('KUBE_FANOUT_TEST_SECRET', undefined);
    await expect(kept.reveal()).rejects.toThrow('KUBE_FANOUT_TEST_SECRET');
    vi.unstubAllEnvs();
  });

  it('is refused in plain text', () => {
    expect(secret().safeParse('hunter2').error?.issues).toMatchObject([{ message: PLAIN_SECRET, path: [] }]);
  });

  it.each([{}, { file: 'a', env: 'B' }, { fiel: 'a' }, { file: '' }])('has exactly one place: not %o', (value) => {
    expect(secret().safeParse(value).error?.issues).toHaveLength(1);
  });
});
