/** Kafka's own hash of a record key, as its Java client computes it: MurmurHash2 of 32 bits, with Kafka's seed. */
export function murmur2(key: Uint8Array): number {
  const m = 0x5bd1e995;
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const whole = key.length & ~3;
  let h = 0x9747b28c ^ key.length;
  for (let i = 0; i < whole; i += 4) {
    const k = Math.imul(view.getInt32(i, true), m);
    h = Math.imul(h, m) ^ Math.imul(k ^ (k >>> 24), m);
  }
  if (whole < key.length) {
    for (let i = key.length - 1; i >= whole; i--) h ^= view.getUint8(i) << (8 * (i - whole));
    h = Math.imul(h, m);
  }
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}

/**
 * The partition that Java's default partitioner chooses, so that consumers which join by key find our Events where those
 * of a Java producer would be. `partitions` counts all of the topic, whether they have a leader or not.
 */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
