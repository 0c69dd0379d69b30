import { describe, expect, test } from 'vitest';
import { explainLoss, explainRefusal, outcomeOfPuback } from '../../adapters/mqtt-outcome.ts';

const refused = (code: number) => Object.assign(new Error('Connection refused: something'), { code });

describe('the reason code of a PUBACK is the verdict:', () => {
  test.for([
    [0, 'delivered', undefined],
    [16, 'delivered', undefined],
    [128, 'retry', 'unavailable'],
    [131, 'retry', 'unavailable'],
    [145, 'retry', 'unavailable'],
    [151, 'retry', 'throttled'],
    [135, 'held', 'not-authorized'],
    [144, 'reject', 'invalid-destination'],
    [153, 'reject', 'invalid-message'],
  ] as const)('%i is %s %s', ([code, kind, reason]) => {
    const outcome = outcomeOfPuback(code, 'k8s/web');
    expect(outcome.kind).toBe(kind);
    if (outcome.kind === 'delivered') return;
    expect(outcome.reason).toBe(reason);
    expect(outcome.detail).toContain('k8s/web');
    expect(outcome.detail).toContain(`(${code})`);
    if (outcome.kind === 'reject') expect(outcome.judge).toBe('broker');
  });

  test('a receipt says what the broker said, also that nobody was there', () => {
    expect(outcomeOfPuback(16, 'k8s/web')).toEqual({
      kind: 'delivered',
      receipt: { topic: 'k8s/web', reasonCode: 16, reason: 'no matching subscribers' },
    });
  });
});

describe('a connection that is not made says where and what to do:', () => {
  test.for([4, 5, 134, 135])('a refused login (%i)', (code) => {
    expect(explainRefusal('mqtt://edge:1883', 'fanout', refused(code))).toBe(
      'The MQTT broker at mqtt://edge:1883 refused the login of fanout: check username and password.',
    );
    expect(explainRefusal('mqtt://edge:1883', undefined, refused(code))).toContain('without a username');
  });

  test.for([1, 132])('another version of the protocol (%i)', (code) => {
    expect(explainRefusal('mqtt://edge:1883', undefined, refused(code))).toContain('protocolVersion: 4');
  });

  test('nobody there, a name that is none, a certificate that nobody vouches for', () => {
    const because = (code: string) =>
      explainRefusal('mqtts://edge:8883', undefined, Object.assign(new Error('x'), { code }));
    expect(because('ECONNREFUSED')).toBe('Cannot reach the MQTT broker at mqtts://edge:8883: nothing listens there.');
    expect(because('ENOTFOUND')).toContain('no host of that name');
    expect(because('SELF_SIGNED_CERT_IN_CHAIN')).toContain('`tls.ca`');
  });
});

test('a lost connection says why, in the broker’s words where it had some', () => {
  expect(explainLoss('mqtt://edge:1883', { reasonCode: 142 })).toContain('session taken over');
  expect(explainLoss('mqtt://edge:1883', { error: new Error('Keepalive timeout') })).toContain('Keepalive timeout');
  expect(explainLoss('mqtt://edge:1883', {})).toContain('it was closed');
});
