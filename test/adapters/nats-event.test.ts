import { MsgHdrsImpl } from '@nats-io/transport-node';
import { assert, expect, test } from 'vitest';
import { headerValue, natsEvent, natsHeaders, payloadBytes } from '../../adapters/nats-event.ts';
import { message } from '../contract/message.ts';

test('a header value is encoded as the example of the specification', () => {
  expect(headerValue('Euro € 😀')).toBe('Euro%20%E2%82%AC%20%F0%9F%98%80');
  expect(headerValue('100% "sure"')).toBe('100%25%20%22sure%22');
  expect(headerValue('a\r\nNats-Rollup: all')).toBe('a%0D%0ANats-Rollup:%20all');
  expect(headerValue("!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~")).toBe("!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~");
});

test('binary mode has every attribute as a ce- header, the data as the body', () => {
  const event = message({ destination: 'k8s', attributes: { reason: 'a reason' } });
  const { headers, body } = natsEvent(event, 'binary');
  expect(body).toBe(event.data);
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'ce-datacontenttype': 'application/json',
    'ce-id': event.attributes.id,
    'ce-reason': 'a%20reason',
    'ce-severitynumber': '13',
  });
  expect(Object.keys(headers)).toHaveLength(Object.keys(event.attributes).length + 1);
});

function encodedLength(headers: Record<string, string>): number {
  const made = natsHeaders(headers);
  assert(made instanceof MsgHdrsImpl);
  return made.encode().length;
}

test.for(['binary', 'structured'] as const)('the size in %s mode is what the SDK will send', (mode) => {
  const event = natsEvent(message({ destination: 'k8s', attributes: { reason: 'ünï' }, data: { note: '日本' } }), mode);
  expect(payloadBytes(event)).toBe(encodedLength(event.headers) + event.body.length);
});
