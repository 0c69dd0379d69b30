/** The schema of a config file for editors, from the one that the loader checks with. */
import type { AdapterType } from '../adapter.ts';
import { type JsonSchema, jsonSchemaOf } from './keys.ts';
import { fileSchema } from './schema.ts';

/**
 * It accepts all that the loader accepts, and refuses what is of the wrong shape. It cannot know which broker a route's
 * `to` is about, so there it takes the options of any.
 */
export function configJsonSchema(adapters: readonly AdapterType[]): JsonSchema {
  const { properties, ...file } = jsonSchemaOf(fileSchema(adapters));
  const routes = properties?.routes ?? {};
  const route = routes.items ?? {};
  const items = { ...route, properties: { ...route.properties, to: target(route.properties?.to, adapters) } };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'kube-fanout: which Kubernetes Events go to which broker',
    ...withReferences({ ...file, properties: { ...properties, routes: { ...routes, items } } }),
    $defs: { reference: REFERENCE },
  };
}

const NAME: JsonSchema = { type: 'string', minLength: 1 };
const REFERENCE: JsonSchema = {
  description: 'In place of any plain value: what an environment variable or a file holds.',
  type: 'object',
  properties: { env: NAME, file: NAME },
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
};

function target(to: JsonSchema | undefined, adapters: readonly AdapterType[]): JsonSchema {
  const fields = adapters.flatMap(({ destination: { field } }) =>
    field === undefined ? [] : [[field, DESTINATION] as const],
  );
  const options = adapters.flatMap(({ routeOptions }) => Object.entries(jsonSchemaOf(routeOptions).properties ?? {}));
  const merged = new Map<string, JsonSchema>(fields);
  for (const [name, option] of options) {
    const other = merged.get(name);
    merged.set(
      name,
      other === undefined || same(other, option) ? option : { anyOf: [...(other.anyOf ?? [other]), option] },
    );
  }
  const properties = { ...to?.properties, ...Object.fromEntries(merged) };
  return { type: 'object', properties, required: ['broker'], additionalProperties: false };
}

const DESTINATION: JsonSchema = {
  ...NAME,
  description: 'The name, in which {expression} puts in a value of the Event.',
};

function same(a: JsonSchema, b: JsonSchema): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

const PLAIN = ['string', 'number', 'integer', 'boolean'];

/** A reference may stand for each plain value; a secret is one already. */
function withReferences(schema: JsonSchema): JsonSchema {
  const { properties, items, additionalProperties, anyOf, description, ...rest } = schema;
  if (properties?.env !== undefined && properties.file !== undefined) return schema;
  if (PLAIN.includes(String(schema.type)) || schema.const !== undefined || schema.enum !== undefined) {
    return { ...(description !== undefined && { description }), anyOf: [{ ...rest }, { $ref: '#/$defs/reference' }] };
  }
  return {
    ...(description !== undefined && { description }),
    ...rest,
    ...(properties && { properties: mapped(properties) }),
    ...(items && { items: withReferences(items) }),
    ...(anyOf && { anyOf: anyOf.map(withReferences) }),
    ...(additionalProperties !== undefined && {
      additionalProperties:
        typeof additionalProperties === 'object' ? withReferences(additionalProperties) : additionalProperties,
    }),
  };
}

function mapped(properties: Readonly<Record<string, JsonSchema>>): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, withReferences(schema)]));
}
