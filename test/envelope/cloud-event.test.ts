import { expect, test } from 'vitest';
import { type Attributes, attributeEntries, structuredJson } from '../../src/envelope/cloud-event.ts';
import { envelopeOf } from '../../src/envelope/event.ts';
import { backOff, inCoreV1 } from './events.ts';

function sample(): { attributes: Attributes; data: Uint8Array } {
  const record = envelopeOf(inCoreV1(backOff({ note: 'say "é" 😀' })), {
    cluster: 'prod',
    origin: 'live',
    now: new Date(0),
  });
  if ('refused' in record) throw new Error(record.refused);
  return { attributes: { ...record.attributes, origin: 'replay' }, data: record.data };
}

test('structured mode is one JSON object of all attributes and the data', () => {
  const { attributes, data } = sample();
  const whole = JSON.parse(Buffer.from(structuredJson(attributes, data)).toString());
  expect(whole).toEqual({ ...attributes, data: JSON.parse(Buffer.from(data).toString()) });
  expect(whole.data.note).toBe('say "é" 😀');
});

test('binary mode carries every attribute as text, but for the content type, which has its own place', () => {
  const { attributes } = sample();
  const { datacontenttype, ...others } = attributes;
  const entries = attributeEntries(attributes);
  expect(Object.fromEntries(entries)).toEqual({ ...others, severitynumber: '13' });
  expect(entries.every(([name]) => /^[a-z0-9]{1,20}$/.test(name))).toBe(true);
});
