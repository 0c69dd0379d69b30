import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fateText } from '../../src/cli/fate-text.ts';
import { objectName } from '../../src/cli/object-name.ts';
import { duration, harmless, size } from '../../src/cli/plain-text.ts';

test.each([
  ['pod/web-0', 'pod', 'web-0', undefined],
  ['Pods/web-0', 'pod', 'web-0', undefined],
  ['po/web-0', 'pod', 'web-0', undefined],
  ['no/worker-1', 'node', 'worker-1', undefined],
  ['svc/api', 'service', 'api', undefined],
  ['ingresses/api', 'ingress', 'api', undefined],
  ['networkpolicies/x', 'networkpolicy', 'x', undefined],
  ['endpoints/x', 'endpoints', 'x', undefined],
  ['deploy/api', 'deployment', 'api', undefined],
  ['Deployment.apps/web/api', 'deployment.apps', 'api', 'web'],
  ['deployments.v1.apps/api', 'deployment.apps', 'api', undefined],
  ['certificates.cert-manager.io/tls', 'certificate.cert-manager.io', 'tls', undefined],
  ['Node//worker-1', 'node', 'worker-1', ''],
])('%s names a %s', (text, kind, name, namespace) => {
  const named = objectName(text);
  expect(named).toMatchObject({ name, namespace });
  expect(named.kinds).toContain(kind);
});

test.each(['web-0', 'pod/', '/web-0', 'a/b/c/d'])('%s is told how to be written', (text) => {
  expect(() => objectName(text)).toThrow('TYPE/NAME');
});

test('no text of an Event can move the cursor, colour the screen or hide itself', { timeout: 30_000 }, () => {
  expect(harmless('a\u001b[2Jb\nc\u202ed')).toBe('a\\u{1b}[2Jb ⏎ c\\u{202e}d');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (text) => {
      expect(harmless(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }),
  );
});

test('each fate has its words, and what is filtered is told as the config has it', () => {
  const values = [{ name: 'event.type', value: 'Normal\u001b' }];
  const filtered = {
    state: 'filtered',
    by: 'when',
    part: 'event.type == "Warning"',
    line: 7,
    gives: false,
    values,
  } as const;
  expect(fateText(filtered)).toEqual({
    sign: '–',
    words: 'filtered by when (line 7): event.type == "Warning"  →  no (event.type is "Normal\\u001b")',
  });
  expect(fateText({ ...filtered, gives: true }).words).toContain('→  yes, which the route excludes');
  expect(fateText({ state: 'expired', by: 'maxAge', maxAgeMs: 3_600_000 }).words).toContain('maxAge of 60 min');
  const since = '2026-11-25T10:00:00.000Z';
  expect(fateText({ state: 'waiting', ahead: 1_000, for: 'broker', detail: 'refused', since }).words).toBe(
    'waiting, behind 1,000 or more: the broker is out of reach since 2026-11-25 10:00:00Z: refused',
  );
  expect(fateText({ state: 'waiting', ahead: 0, for: 'turn' }).words).toBe('waiting, next in line: its turn comes');
});

test('times and sizes are short', () => {
  expect([0, 999, 1_500, 59_000, 150_000, 7_200_000, 3 * 86_400_000].map(duration)).toEqual([
    '0 ms',
    '999 ms',
    '1.5 s',
    '59 s',
    '3 min',
    '2 h',
    '3 d',
  ]);
  expect([0, 2_048, 1.5 * 2 ** 30, 2 ** 41].map(size)).toEqual(['0.0 KiB', '2.0 KiB', '1.5 GiB', '2.0 TiB']);
});
