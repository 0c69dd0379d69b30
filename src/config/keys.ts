import { z } from 'zod';
import type { Path } from './tree.ts';

/** A JSON Schema, as far as it is read here. */
export interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly [key: string]: unknown;
}

/** What may be written in a file, not what becomes of it. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
}

/** The keys that a map at `path` may have. */
export function keysAt(schema: z.ZodType, path: Path): readonly string[] {
  let here: readonly JsonSchema[] = branches(jsonSchemaOf(schema));
  for (const part of path) here = here.flatMap((one) => branches(step(one, part)));
  return [...new Set(here.flatMap(({ properties = {} }) => Object.keys(properties)))];
}

function step({ properties, additionalProperties, items }: JsonSchema, part: string | number): JsonSchema | undefined {
  if (typeof part === 'number') return items;
  return properties?.[part] ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined);
}

function branches(schema: JsonSchema | undefined): readonly JsonSchema[] {
  if (schema === undefined) return [];
  return [schema, ...(schema.anyOf ?? [])];
}
