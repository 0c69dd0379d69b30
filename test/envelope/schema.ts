import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';

const schema: unknown = JSON.parse(readFileSync(new URL('../../config/event.v1.schema.json', import.meta.url), 'utf8'));

/** What the published schema says against `data`, which may hold nothing that the schema does not describe. */
export function schemaErrors(data: unknown): string[] {
  return validate(data) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false });
formats.default(ajv);
const validate = ajv.compile(closed(schema));

/** Open to consumers, so that a field can be added later; closed here, so that none is added without its description. */
function closed(part: unknown): object {
  return JSON.parse(JSON.stringify(part), (_, value) => {
    const describesAnObject = value?.type === 'object' && value.properties && value.additionalProperties === undefined;
    return describesAnObject ? { ...value, additionalProperties: false } : value;
  });
}
