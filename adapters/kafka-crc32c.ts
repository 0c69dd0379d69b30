/**
 * CRC-32C, the checksum of a Kafka record batch: RFC 3720, section 12.1. Node has none of this polynomial, and the one of
 * kafkajs takes a byte at a time: with the batch it is summing a tenth of all that an Event costs. This takes eight, by
 * eight tables: M. E. Kounavis and F. L. Berry, "A Systematic Approach to Building High Performance Software-based CRC
 * Generators", 2005.
 */
const POLYNOMIAL = 0x82f63b78;
const ENTRIES = 256;

/** The n-th has, for each byte, what it does to the sum with n bytes behind it. */
const TABLES = new Int32Array(8 * ENTRIES);
for (let byte = 0; byte < ENTRIES; byte++) {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? POLYNOMIAL : 0);
  TABLES[byte] = sum;
}
for (let at = ENTRIES; at < TABLES.length; at++) {
  const before = TABLES[at - ENTRIES] ?? 0;
  TABLES[at] = (before >>> 8) ^ table(0, before);
}

function table(number: number, byte: number): number {
  return TABLES[number * ENTRIES + (byte & 0xff)] ?? 0;
}

export function crc32c(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length & ~7;
  let sum = -1;
  let at = 0;
  for (; at < whole; at += 8) {
    const low = view.getInt32(at, true) ^ sum;
    const high = view.getInt32(at + 4, true);
    sum =
      table(7, low) ^
      table(6, low >>> 8) ^
      table(5, low >>> 16) ^
      table(4, low >>> 24) ^
      table(3, high) ^
      table(2, high >>> 8) ^
      table(1, high >>> 16) ^
      table(0, high >>> 24);
  }
  for (; at < bytes.length; at++) sum = (sum >>> 8) ^ table(0, sum ^ view.getUint8(at));
  return ~sum >>> 0;
}
