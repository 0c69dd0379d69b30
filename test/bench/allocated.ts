/** What a program has allocated on its heaps, by what Node says of each collection with `--trace-gc`. */

/** `[pid:isolate]  ms: Scavenge 41.0 (54.2) -> 37.5 (54.2) MB`, where the heap was at the first and is at the third. */
const COLLECTION = /^\[\d+:(0x[0-9a-f]+)\].*?: \D+? ([\d.]+) \([\d.]+\) -> ([\d.]+) \(/gm;

/** Bytes, of all threads, between those collections: to a tenth of a megabyte each. */
export function allocatedIn(log: string): number {
  const left = new Map<string, number>();
  let megabytes = 0;
  for (const [, isolate = '', before, after] of log.matchAll(COLLECTION)) {
    const behind = left.get(isolate);
    if (behind !== undefined) megabytes += Number(before) - behind;
    left.set(isolate, Number(after));
  }
  return megabytes * 1024 * 1024;
}
