import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adapterTypes } from '../../adapters/registry.ts';
import type { AdapterType } from '../../src/adapter.ts';
import { compileRoute, type RouteConfig } from '../../src/routing/compile.ts';
import { anyEvent, EVENT, recordOf, routeConfig } from './events.ts';

const NOW = Date.parse('2026-11-23T11:00:00Z');

function typeOf(name: string): AdapterType {
  const type = adapterTypes.find((one) => one.name === name);
  if (type === undefined) throw new Error(`no adapter ${name}`);
  return type;
}

function route(config: Partial<RouteConfig>, broker = 'mqtt') {
  return compileRoute(routeConfig(config), typeOf(broker));
}

const record = recordOf(EVENT);
const gap = recordOf({ ...EVENT, reason: 'EventsGap', regarding: undefined }, { kind: 'gap', key: 'gap' });

describe('a route', () => {
  it('publishes by the object key to its destination', () => {
    expect(route({}).decide(record, NOW)).toEqual({ kind: 'publish', destination: 'k8s', key: 'Pod/web/web-1' });
  });

  it('takes what `when` says, and counts the rest as filtered', () => {
    expect(route({ when: 'event.reason == "BackOff"' }).decide(record, NOW).kind).toBe('publish');
    expect(route({ when: 'event.reason == "Killing"' }).decide(record, NOW)).toEqual({ kind: 'filtered' });
  });

  it('is keyed by another expression if it says so', () => {
    const keyed = route({ key: 'event.regarding.kind + ":" + event.reason' });
    expect(keyed.decide(record, NOW)).toMatchObject({ key: 'Pod:BackOff' });
  });

  it('counts what is older than `maxAge` as expired, but only what it wanted', () => {
    const young = { maxAgeMs: 60_000 };
    expect(route(young).decide(record, NOW)).toEqual({ kind: 'expired' });
    expect(route({ maxAgeMs: 3_600_000 }).decide(record, NOW).kind).toBe('publish');
    expect(route({ ...young, when: 'event.reason == "Killing"' }).decide(record, NOW)).toEqual({ kind: 'filtered' });
  });

  it('gives a gap record the way of an Event, past `when` and `maxAge`', () => {
    const narrow = route({ when: 'false', maxAgeMs: 1, destination: 'k8s/{event.metadata.namespace}/{event.reason}' });
    expect(narrow.decide(gap, NOW)).toEqual({ kind: 'publish', destination: 'k8s/web/EventsGap', key: 'gap' });
  });

  it('refuses gap records if it says so', () => {
    expect(route({ gaps: false }).decide(gap, NOW)).toEqual({ kind: 'filtered' });
  });

  it('makes a dead letter of a damaged record, even of one that it would not want', () => {
    const damaged = recordOf('not even JSON', { intact: false });
    expect(route({ when: 'false' }).decide(damaged, NOW)).toMatchObject({ kind: 'reject', reason: 'corrupt-record' });
  });

  it('makes a dead letter of an Event that an expression fails for, and says which', () => {
    for (const [config, what] of [
      [{ when: '1 / (event.count - 7) == 1' }, 'when'],
      [{ key: 'string(1 / (event.count - 7))' }, 'key'],
      [{ destination: 'k8s/{1 / (event.count - 7)}' }, 'topic'],
    ] as const) {
      const detail = `The route's \`${what}\` fails for this Event: division by zero.`;
      expect(route(config).decide(record, NOW)).toEqual({ kind: 'reject', reason: 'invalid-message', detail });
    }
  });

  it('makes a dead letter of a name that the broker would not take', () => {
    const long = recordOf({ ...EVENT, reason: 'x'.repeat(300) });
    const decision = route({ destination: 'k8s-{event.reason}' }, 'kafka').decide(long, NOW);
    expect(decision).toMatchObject({ kind: 'reject', reason: 'invalid-destination' });
  });

  it('knows its destination beforehand where that is the same for every record', () => {
    expect(route({}).constantDestination).toBe('k8s');
    expect(route({ destination: 'k8s/{event.reason}' }).constantDestination).toBeUndefined();
    expect(route({ destination: undefined }, 'stdout').constantDestination).toBe('stdout');
  });

  it('never throws, whatever the data', () => {
    const all = route({ when: 'event.count >= 0', key: 'event.reason', destination: 'k8s/{event.note}/{key}' });
    fc.assert(
      fc.property(fc.oneof(anyEvent, fc.json(), fc.string()), (data) => {
        const decision = all.decide(recordOf(data), NOW);
        if (decision.kind === 'publish') expect(decision.destination.split('/')).toHaveLength(3);
        else expect(decision.kind).toBe('reject');
      }),
    );
  });
});
