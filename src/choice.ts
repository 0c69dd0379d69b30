import { z } from 'zod';

/**
 * A strict object with exactly one of its keys set, which is how every choice is written: a broker's kind, a SASL
 * mechanism, where a secret is. Not a union of objects: a union answers one misspelt key with "invalid input".
 * `notAnObject` is the message for a plain value in its place.
 */
export function choice<Shape extends Record<string, z.ZodType>>(shape: Shape, notAnObject?: string) {
  const names = Object.keys(shape);
  return z
    .strictObject(shape, { error: ({ code }) => (code === 'invalid_type' ? notAnObject : undefined) })
    .partial()
    .check(({ value, issues }) => {
      const set = names.filter((name) => value[name as keyof typeof value] !== undefined);
      if (set.length === 1 || issues.some(({ code }) => code === 'unrecognized_keys')) return;
      issues.push({
        code: 'custom',
        input: value,
        message: `exactly one of ${names.join(', ')}`,
        params: { names, set },
      });
    })
    .meta({ minProperties: 1, maxProperties: 1 });
}
