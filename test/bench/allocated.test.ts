import { expect, test } from 'vitest';
import { allocatedIn } from './allocated.ts';

const LOG = `
[7:0x1f]     20 ms: Scavenge 41.0 (54.2) -> 37.0 (54.2) MB, pooled: 11 MB, 1.44 / 0.00 ms  (average mu = 0.906) task;
[7:0x2e]     21 ms: Scavenge 9.0 (12.0) -> 5.0 (12.0) MB, pooled: 0 MB, 0.24 / 0.00 ms  (average mu = 1.000) task;
{"level":"info","msg":"the rest of the log"}
[7:0x1f]     30 ms: Mark-Compact 40.0 (54.2) -> 20.0 (54.2) MB, pooled: 11 MB, 7.05 / 0.01 ms  (+ 12.2 ms in 140 steps)
[7:0x1f]     40 ms: Scavenge (interleaved) 24.5 (54.2) -> 21.0 (54.2) MB, pooled: 11 MB, 1.44 / 0.00 ms  task;
[7:0x2e]     41 ms: Scavenge 6.5 (12.0) -> 5.0 (12.0) MB, pooled: 0 MB, 0.24 / 0.00 ms  task;
`;

test('what was allocated is what the heap of each thread has grown by from one collection to the next', () => {
  expect(allocatedIn(LOG) / 1024 ** 2).toBeCloseTo(3 + 4.5 + 1.5, 5);
});

test('a log without collections tells of nothing', () => {
  expect(allocatedIn('{"level":"info"}\n')).toBe(0);
});
