import { MsgHdrsImpl } from '@nats-io/transport-node';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { headerValue, type NatsEvent, natsEvent, payloadBytes } from '../../adapters/nats-event.ts';
import { message } from '../contract/message.ts';

test('a header value is encoded as the example of the specification', () => {
  expect(headerValue('Euro € 😀')).toBe('Euro%20%E2%82%AC%20%F0%9F%98%80');
  expect(headerValue('100% "sure"')).toBe('100%25%20%22sure%22');
  expect(headerValue('a\r\nNats-Rollup: all')).toBe('a%0D%0ANats-Rollup:%20all');
  expect(headerValue("!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~")).toBe("!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~");
});

/** As the SDK reads what is sent. */
function sent({ headers }: NatsEvent): Record<string, readonly string[]> {
  return MsgHdrsImpl.decode(headers.encode()).toRecord();
}

test('binary mode has every attribute as a ce- header, the data as the body', () => {
  const event = message({ destination: 'k8s', attributes: { reason: 'a reason' } });
  const made = natsEvent(event, 'binary', { 'Nats-Msg-Id': 'an id' });
  expect(made.body).toBe(event.data);
  expect(sent(made)).toMatchObject({
    'content-type': ['application/json'],
    'ce-datacontenttype': ['application/json'],
    'ce-id': [event.attributes.id],
    'ce-reason': ['a%20reason'],
    'ce-severitynumber': ['13'],
    'Nats-Msg-Id': ['an id'],
  });
  expect(Object.keys(sent(made))).toHaveLength(Object.keys(event.attributes).length + 2);
});

test.for(['binary', 'structured'] as const)('the size in %s mode is that of what is sent', (mode) => {
  const event = natsEvent(message({ destination: 'k8s', attributes: { reason: 'ünï' }, data: { note: '日本' } }), mode);
  expect(payloadBytes(event)).toBe(event.headers.encode().length + event.body.length);
});

test('nothing in an attribute can add a header or a line, whatever it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (reason) => {
      const made = natsEvent(message({ destination: 'k8s', attributes: { reason } }), 'binary');
      expect(Buffer.from(made.headers.encode()).toString('latin1')).toMatch(
        /^NATS\/1\.0\r\n([\w-]+: [!-~; ]*\r\n)+\r\n$/,
      );
      expect(sent(made)['ce-reason']).toEqual([headerValue(reason)]);
    }),
  );
});
