import { API_VERSION, type CoreEvent, eventJson, type Group } from './event-object.ts';

/** Who wrote which fields. Every object of a real API server says so at length: nobody may rely on its absence. */
export function managedFields(event: CoreEvent, { manager, group }: { manager: string; group: Group }): unknown[] {
  const { kind, apiVersion, metadata, ...fields } = Object(JSON.parse(JSON.stringify(eventJson(group, event))));
  const set = Object.entries(fields).filter(([, value]) => value !== null && value !== '');
  return [
    {
      manager,
      operation: 'Update',
      apiVersion: API_VERSION[group],
      time: event.metadata.creationTimestamp,
      fieldsType: 'FieldsV1',
      fieldsV1: Object.fromEntries(set.map(([field, value]) => [`f:${field}`, within(field, value)])),
    },
  ];
}

/** Only `source` and `series` are not written as a whole. */
function within(field: string, value: unknown): object {
  if (field !== 'source' && field !== 'series') return {};
  return Object.fromEntries(Object.keys(Object(value)).map((key) => [`f:${key}`, {}]));
}
