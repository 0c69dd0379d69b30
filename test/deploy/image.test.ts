import { expect, test } from 'vitest';
import { textOf } from './files.ts';

const lines = textOf('deploy/Dockerfile').split('\n');
const packageJson = JSON.parse(textOf('package.json'));

function instructions(name: string): string[] {
  return lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
}

test('the image has the Node that the tests run on, unless a build argument says otherwise', () => {
  const { node } = packageJson.devDependencies;
  expect(instructions('ARG')).toEqual([`NODE_IMAGE=node:${node}-slim`]);
  expect(textOf('docker-compose.yml')).toContain(`\${NODE_IMAGE:-node:${node}-slim}`);
  expect(instructions('FROM').every((from) => /^\$\{NODE_IMAGE\}( |$)/.test(from))).toBe(true);
});

test('the image runs the packaged command as a numeric user that is not root', () => {
  expect(instructions('USER')).toEqual(['65532:65532']);
  expect(instructions('ENTRYPOINT')).toEqual([
    `["node", "--max-semi-space-size=4", "--external-memory-accounted-in-global-limit", "--heap-growing-percent=30", "/app/${packageJson.bin['kube-fanout'].slice(2)}"]`,
  ]);
});

test('the last stage holds production dependencies only', () => {
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
  expect(last.filter((line) => line.includes('node_modules'))).toEqual([
    'COPY --from=dependencies /app/node_modules node_modules',
  ]);
  expect(last.some((line) => line.startsWith('RUN '))).toBe(false);
  const stage = textOf('deploy/Dockerfile').split('FROM ')[1];
  expect(stage).toContain('AS dependencies');
  expect(stage).toContain('npm ci --omit=dev');
});

test('what the build copies is not ignored', () => {
  const copied = instructions('COPY').filter((copy) => !copy.startsWith('--from'));
  const sources = new Set(copied.flatMap((copy) => copy.split(' ').slice(0, -1)));
  const [everything, ...admitted] = textOf('.dockerignore').trim().split('\n');
  expect(everything).toBe('*');
  expect(admitted.map((line) => line.slice(1)).toSorted()).toEqual([...sources].toSorted());
});
