import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adapterTypes } from '../../adapters/registry.ts';
import { loadConfig } from '../../src/config/load.ts';
import { compileExpression } from '../../src/routing/cel.ts';
import { compileRoute } from '../../src/routing/compile.ts';
import { viewOf } from '../../src/routing/view.ts';
import { anyEvent, EVENT, recordOf, routeConfig } from './events.ts';

const NOW = Date.parse('2026-11-23T10:06:00Z');
const record = recordOf(EVENT);
const gap = recordOf({ ...EVENT, reason: 'EventsGap' }, { kind: 'gap', key: 'gap' });

function route(config: Parameters<typeof routeConfig>[0]) {
  const mqtt = adapterTypes.find(({ name }) => name === 'mqtt');
  if (mqtt === undefined) throw new Error('there is an adapter mqtt');
  return compileRoute(routeConfig(config), mqtt);
}

function why(when: string) {
  const explained = route({ when }).explain(record, NOW);
  if (explained.kind !== 'filtered' || explained.by !== 'when') throw new Error(`it is ${explained.kind}`);
  return explained;
}

describe('a route explains', () => {
  it.each([
    ['event.type == "Normal"', 'event.type == "Normal"', false],
    ['event.type == "Warning" && event.reason == "Killing" && event.count > 9', 'event.reason == "Killing"', false],
    [
      'event.type == "Warning" && (event.reason == "Killing" || event.count > 9)',
      'event.reason == "Killing" || event.count > 9',
      false,
    ],
    ['!(event.type == "Normal" || event.reason == "BackOff")', 'event.reason == "BackOff"', true],
    ['!(event.type == "Warning" && event.count == 7)', 'event.type == "Warning" && event.count == 7', true],
    ['!(event.type == "Warning")', '!(event.type == "Warning")', false],
    ['!!(event.type == "Normal" && true)', 'event.type == "Normal"', false],
    ['event.type == "Warning" ? event.count > 9 : true', 'event.count > 9', false],
    ['event.type == "Warning" ? false : true', 'event.type == "Warning"', true],
    ['1 / (event.count - 7) == 1 && event.type == "Normal"', 'event.type == "Normal"', false],
    ['event.note.matches("time(out)?$") && event.note.matches("\\\\(") // )', 'event.note.matches("\\\\(")', false],
    ['event.type == "Warning" && false', 'false', false],
  ])('that of  %s  it was  %s', (when, part, gives) => {
    expect(why(when)).toMatchObject({ part, gives });
  });

  it('what the names stand for', () => {
    expect(why('event.type == "Normal"').values).toEqual([{ name: 'event.type', value: 'Warning' }]);
    expect(why('event.count > 9 || event.metadata.labels["app"] == "x" || key == "y"').values).toEqual([
      { name: 'event.count', value: 7 },
      { name: 'event.metadata.labels["app"]', value: 'shop' },
      { name: 'key', value: 'Pod/web/web-1' },
    ]);
    expect(why('event.regarding.name.startsWith("db") || ["x"].exists(key, key == "y")').values).toEqual([
      { name: 'event.regarding.name', value: 'web-1' },
    ]);
  });

  it('in which line of the file that stands, whatever the style', () => {
    const text = `apiVersion: kube-fanout/v1alpha1
cluster: c
brokers: { b: { stdout: {} } }
routes:
  - name: block
    when: |
      event.type == "Warning" &&
        event.reason == "Killing"
    to: { broker: b }
  - name: folded
    when: event.type == "Warning" &&
      event.reason == "Killing"
    to: { broker: b }
  - { name: flow, to: { broker: b }, when: 'event.reason == "Killing"' }
`;
    const loaded = loadConfig(text, { file: 'f', adapters: adapterTypes });
    if ('diagnostics' in loaded) throw new Error(loaded.diagnostics[0]?.message);
    const lines = loaded.config.routes.map((config) => route({ ...config, destination: 'k8s' }).explain(record, NOW));
    expect(lines).toMatchObject([{ line: 8 }, { line: 12 }, { line: 14 }]);
  });

  it('a gap record that is refused, an Event that is too old, and a dead letter', () => {
    expect(route({ gaps: false }).explain(gap, NOW)).toEqual({ kind: 'filtered', by: 'gaps' });
    expect(route({ maxAgeMs: 1_000 }).explain(record, NOW)).toEqual({
      kind: 'expired',
      ageMs: 60_000,
      maxAgeMs: 1_000,
    });
    expect(route({ when: '1 / (event.count - 7) == 1' }).explain(record, NOW)).toMatchObject({ kind: 'reject' });
  });

  const leaf = fc.constantFrom(
    'event.type == "Warning"',
    'event.reason != "BackOff"',
    '(event.count > 3)',
    '1 / event.count == 1',
    'event.note.matches("[(]")',
    '"app" in event.metadata.labels',
    'event.regarding.kind in ["Pod", ")"]',
    'true',
  );
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc
        .tuple(tie('expression'), fc.constantFrom('&&', '||'), tie('expression'))
        .map(([a, op, b]) => `(${a} ${op} ${b})`),
      fc.tuple(leaf, fc.constantFrom(' && ', '\n|| '), leaf).map((parts) => `(${parts.join('')})`),
      tie('expression').map((a) => `!(${a})`),
      fc.tuple(tie('expression'), tie('expression'), tie('expression')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    ),
  }));

  it('nothing else than it decides, and names a part that gives what it says', () => {
    fc.assert(
      fc.property(expression, anyEvent, fc.boolean(), (when, event, isGap) => {
        const any = recordOf(event, isGap ? { kind: 'gap' } : {});
        const asked = route({ when, gaps: false, maxAgeMs: 30_000 });
        const decision = asked.decide(any, NOW);
        const explained = asked.explain(any, NOW);
        expect(explained).toMatchObject(decision);
        if (explained.kind !== 'filtered' || explained.by !== 'when') return;
        expect(when).toContain(explained.part);
        expect(compileExpression(explained.part).evaluate(viewOf(any))).toBe(explained.gives);
      }),
    );
  });
});
