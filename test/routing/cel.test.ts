import { run } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileExpression, ExpressionError } from '../../src/routing/cel.ts';
import { viewOfData } from '../../src/routing/view.ts';
import { anyEvent, EVENT } from './events.ts';

const view = viewOfData(EVENT, 'Pod/web/web-1');

/** Each use of the language that the documents and examples show. */
const EXPRESSIONS = [
  'event.type == "Warning"',
  'event.type == "Warning" && event.regarding.kind == "Pod"',
  'event.type != "Normal" || event.count > 10',
  '!(event.metadata.namespace in ["kube-system", "kube-public"])',
  'event.reason.startsWith("Back") && !event.note.contains("timeout")',
  'event.reason.matches("^(BackOff|Failed.*)$")',
  '(event.note).matches("time[a-z]+") // matches("x")\n || event.note . matches("[.]matches[(]")',
  '["Pod", "Node"].exists(kind, kind == event.regarding.kind)',
  '["a", "b"].all(x, event.note.matches("a?b?"))',
  'event.related.kind == "" && event.series.count == 0',
  '"app" in event.metadata.labels',
  'event.count % 10 == 0 ? event.type == "Normal" : true',
  'key.startsWith("Pod/") || key.endsWith("web-1")',
  'event.metadata.namespace + "/" + event.reason',
  'event.regarding.kind == "Node" ? "nodes" : "rest"',
  'event.count + 1',
  'size(event.note) > 3',
];

describe('an expression', () => {
  it.each(EXPRESSIONS)('means what an independent implementation says: %s', (text) => {
    const expression = compileExpression(text);
    fc.assert(
      fc.property(fc.oneof(fc.constant(EVENT), anyEvent), fc.string(), (data, key) => {
        const seen = viewOfData(data, key);
        const expected = run(text, { event: plain(seen.event), key }, { funcs: strings });
        expect(expression.evaluate(seen)).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });

  it('finds every field there, whatever the Event lacks', () => {
    const empty = viewOfData({}, '');
    for (const [field, nothing] of [
      ['event.reason', ''],
      ['event.regarding.name', ''],
      ['event.related.kind', ''],
      ['event.metadata.labels.app', ''],
      ['event.metadata.annotations["a/b"]', ''],
      ['event.count', 0n],
      ['event.series.count', 0n],
      ['event.deprecatedSource.component', ''],
    ] as const) {
      expect(compileExpression(field).evaluate(empty)).toBe(nothing);
    }
  });

  it('takes a field of the wrong type for a missing one', () => {
    const odd = viewOfData({ reason: 5, count: '7', regarding: 'Pod', metadata: { labels: ['x'] } }, '');
    expect(compileExpression('event.reason + event.regarding.kind + event.metadata.labels.x').evaluate(odd)).toBe('');
    expect(compileExpression('event.count').evaluate(odd)).toBe(0n);
  });

  it('tells a missing label from an empty one', () => {
    const labelled = viewOfData({ metadata: { labels: { empty: '' } } }, '');
    expect(compileExpression('"empty" in event.metadata.labels').evaluate(labelled)).toBe(true);
    expect(compileExpression('"other" in event.metadata.labels').evaluate(labelled)).toBe(false);
  });

  it('is not held up by a pattern that a backtracking matcher would never finish', () => {
    const hostile = viewOfData({ note: `${'a'.repeat(50_000)}!` }, '');
    expect(compileExpression('event.note.matches("^(a+)+$")').evaluate(hostile)).toBe(false);
  });

  it('throws for an Event that it fails for, and does not say no', () => {
    expect(() => compileExpression('1 / (event.count - 7) == 1').evaluate(view)).toThrow('division by zero');
  });
});

describe('a wrong expression', () => {
  it.each([
    ['event.type ==', 'syntax', [13, 13]],
    ['evnt.type == "x"', 'unknown-name', [0, 4]],
    ['event.type == "x" && event.regarding.kid == ""', 'unknown-name', [37, 40]],
    ['event.count == "x"', 'type', [0, 18]],
    ['event', 'type', [0, 5]],
    ['event.note.matches("(")', 'pattern', [19, 22]],
    ['event.note.matches(event.reason)', 'pattern', [19, 31]],
    ['has(event.related)', 'has', [0, 18]],
    ['event.note.rematch("a")', 'type', [0, 23]],
  ] as const)('%s is refused at its place', (text, kind, [start, end]) => {
    let thrown: unknown;
    try {
      compileExpression(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ExpressionError);
    expect(thrown).toHaveProperty('fault', expect.objectContaining({ kind, start, end }));
  });
});

/** The same values in what the other implementation reads. */
function plain(value: unknown): never {
  if (value instanceof Map) return new Map(value.entries()) as never;
  if (typeof value !== 'object' || value === null) return value as never;
  return new Map(Object.entries(value).map(([name, field]) => [name, plain(field)])) as never;
}
