/** Kafka's numbers of variable length: zigzag, seven bits a byte, as in Protocol Buffers. None here is negative. */

export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value * 2; rest >= 128; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

/** Gives the place behind it. */
export function writeVarint(into: Uint8Array, at: number, value: number): number {
  let rest = value * 2;
  let next = at;
  for (; rest >= 128; rest = Math.floor(rest / 128)) into[next++] = (rest % 128) | 128;
  into[next++] = rest;
  return next;
}
