import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  compareResourceVersions,
  gapPositionOf,
  ORIGIN,
  parseResourceVersion,
  positionBefore,
  positionOf,
} from '../../src/envelope/position.ts';

const number = fc.oneof(
  fc.bigInt({ min: 1n, max: 2n ** 128n - 1n }),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 53n + 9n }),
);

function versionOf(value: bigint) {
  const rv = parseResourceVersion(String(value));
  if (rv === undefined) throw new Error(`${value} is a resourceVersion`);
  return rv;
}

test('resourceVersions of up to 128 bits are older and newer as the numbers are that they write', () => {
  fc.assert(
    fc.property(number, number, (a, b) => {
      const order = Math.sign(compareResourceVersions(versionOf(a), versionOf(b)));
      expect(order).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});

test('the position before a revision is that of the number below, and the origin before the first of all', () => {
  expect(positionBefore(positionOf(versionOf(1_000n)))).toBe(positionOf(versionOf(999n)));
  expect(positionBefore(gapPositionOf(versionOf(1_000n)))).toBe(positionOf(versionOf(999n)));
  expect(positionBefore(positionOf(versionOf(1n)))).toBe(ORIGIN.position);
  expect(positionBefore(gapPositionOf(undefined))).toBe(ORIGIN.position);
});
