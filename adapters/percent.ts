/** The bytes of one character in UTF-8; of a lone surrogate, which has none, the three that its number would give. */
function bytesOf(character: string): Iterable<number> {
  const code = character.codePointAt(0) ?? 0;
  const surrogate = code >= 0xd800 && code <= 0xdfff;
  return surrogate ? [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)] : Buffer.from(character);
}

/**
 * `value` with each character that `unsafe` matches (a global, unicode expression) as the `%XX` of its UTF-8 bytes. With
 * `%` itself among the unsafe ones the encoding can be undone, so distinct values stay distinct.
 */
export function percentEncode(value: string, unsafe: RegExp): string {
  return value.replace(unsafe, (character) =>
    Array.from(bytesOf(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}
