/** 0.8 s, doubled with each failure in a row, 30 s at most. */
export function backOffMs(failures: number): number {
  return Math.min(30_000, 800 * 2 ** Math.min(failures - 1, 10));
}
