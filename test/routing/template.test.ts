import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adapterTypes } from '../../adapters/registry.ts';
import { compileTemplate, parseTemplate, TemplateError } from '../../src/routing/template.ts';
import { viewOfData } from '../../src/routing/view.ts';
import { anyEvent, EVENT } from './events.ts';

const view = viewOfData(EVENT, 'Pod/web/web-1');
const rules = { escape: (value: string) => encodeURIComponent(value) || '_' };

describe('a template', () => {
  it('puts values between its texts', () => {
    const template = compileTemplate('k8s/{event.metadata.namespace}/{event.regarding.kind}.{event.count}', rules);
    expect(template.constant).toBeUndefined();
    expect(template.render(view)).toBe('k8s/web/Pod.7');
  });

  it('is constant when it holds no expression', () => {
    expect(compileTemplate('k8s/events', rules).constant).toBe('k8s/events');
  });

  it('lets braces and quotes stand inside of an expression', () => {
    const template = compileTemplate(`{event.metadata.labels["a}b{'"]}x{{"a": "b"}["a"]}`, rules);
    expect(template.render(view)).toBe('_xb');
  });

  it('is cached by its values, and not by what they look like when put together', () => {
    const template = compileTemplate('{event.reason}.{event.note}', rules);
    const render = (reason: string, note: string) => template.render(viewOfData({ reason, note }, ''));
    expect(render('a\0b', 'c')).toBe('a%00b.c');
    expect(render('a', 'b\0c')).toBe('a.b%00c');
    expect(render('a', 'b')).toBe('a.b');
    expect(render('a', 'b')).toBe('a.b');
  });

  it.each([
    ['k8s/{event.reason', 'brace', [4, 5]],
    ['k8s/event.reason}', 'brace', [16, 17]],
    ['k8s/{ }', 'empty', [4, 7]],
    ['k8s/$' + '{event.reason}', 'dollar', [4, 19]],
  ] as const)('%s is refused at its place', (text, kind, [start, end]) => {
    expect(() => parseTemplate(text)).toThrow(expect.objectContaining({ kind, start, end }));
    expect(() => parseTemplate(text)).toThrow(TemplateError);
  });
});

/** What separates the levels of a name, where names have levels: a point in Kafka's is a character like others. */
const SEPARATORS: Readonly<Record<string, string>> = { mqtt: '/', nats: '.', 'nats-core': '.' };

describe.each(adapterTypes.filter(({ destination }) => destination.field !== undefined))('a name for $name', (type) => {
  const separator = SEPARATORS[type.name];
  const parts = ['k8s', '{event.metadata.namespace}', '{event.regarding.kind}', '{event.reason}'];
  const template = compileTemplate(parts.join(separator ?? '-'), type.destination);

  it('has the same levels whatever an Event holds, and the broker would take it', () => {
    fc.assert(
      fc.property(anyEvent, (data) => {
        const name = template.render(viewOfData(data, ''));
        expect(type.destination.refuse(name)).toBeUndefined();
        const levels = separator === undefined ? [] : name.split(separator);
        expect(levels).toHaveLength(separator === undefined ? 0 : parts.length);
        expect(levels).not.toContain('');
      }),
    );
  });
});
