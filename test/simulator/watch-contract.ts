import { describe, expect, test } from 'vitest';
import { type ApiClient, type ApiEvent, CORE, GROUP, METADATA, told } from './api-server.ts';

const line = (type: string, { metadata }: ApiEvent) => `${type} ${metadata.name} ${metadata.resourceVersion}`;

export function watchContract(the: () => ApiClient): void {
  const fresh = async () => {
    const namespace = await the().createNamespace();
    return { namespace, events: `${CORE}/namespaces/${namespace}/events` };
  };

  describe.concurrent('a watch', () => {
    test('from a resourceVersion gives everything after it, in the order of the writes', async () => {
      const { namespace, events } = await fresh();
      const b = await the().create(namespace, 'b');
      const from = `resourceVersion=${b.metadata.resourceVersion}`;
      const changed = await the().update(namespace, 'b', { count: 2 });
      const a = await the().create(namespace, 'a');
      const again = await the().update(namespace, 'b', { count: 3 });
      const expected = [line('MODIFIED', changed), line('ADDED', a), line('MODIFIED', again)];
      expect(told(await the().watched(events, from))).toEqual(expected);
      expect(told(await the().watched(events, `${from}&allowWatchBookmarks=true&limit=1`))).toEqual(expected);
      expect(Number(changed.metadata.resourceVersion)).toBeGreaterThan(Number(b.metadata.resourceVersion));
    });

    test('of all namespaces tells the same as that of one', async () => {
      const { namespace } = await fresh();
      const from = await the().now();
      await the().create(namespace, 'a');
      await the().delete(namespace, 'a');
      const lines = await the().watched(`${CORE}/events`, `resourceVersion=${from}`);
      const own = lines.filter(({ object }) => JSON.stringify(object).includes(`"namespace":"${namespace}"`));
      expect(own).toEqual(await the().watched(`${CORE}/namespaces/${namespace}/events`, `resourceVersion=${from}`));
      expect(own.map(({ type }) => type)).toEqual(['ADDED', 'DELETED']);
    });

    test('tells of a deletion with the last state under a new resourceVersion', async () => {
      const { namespace, events } = await fresh();
      const created = await the().create(namespace, 'a');
      await the().delete(namespace, 'a');
      const [deleted] = await the().watched(events, `resourceVersion=${created.metadata.resourceVersion}`);
      const resourceVersion = expect.toSatisfy((rv) => Number(rv) > Number(created.metadata.resourceVersion));
      expect(deleted?.type).toBe('DELETED');
      expect(deleted?.object).toEqual({ ...created, metadata: { ...created.metadata, resourceVersion } });
    });

    test('tells at once of what is written while it is open', async () => {
      const { namespace, events } = await fresh();
      const watch = the().watch(events, `timeoutSeconds=30&resourceVersion=${await the().now()}`);
      const next = watch.next();
      const a = await the().create(namespace, 'a');
      expect(told([(await next).value])).toEqual([line('ADDED', a)]);
      const b = await the().create(namespace, 'b');
      expect(told([(await watch.next()).value])).toEqual([line('ADDED', b)]);
      await watch.return(undefined);
    });

    test.for(['', 'resourceVersion=0'])(
      'without a resourceVersion (%s) begins with what is there, by key',
      async (query) => {
        const { namespace, events } = await fresh();
        const b = await the().create(namespace, 'b');
        await the().create(namespace, 'a');
        const a = await the().update(namespace, 'a', { count: 2 });
        expect(told(await the().watched(events, query))).toEqual([line('ADDED', a), line('ADDED', b)]);
      },
    );

    test('asked for the initial Events ends them with a bookmark, when bookmarks are allowed', async () => {
      const { namespace, events } = await fresh();
      const a = await the().create(namespace, 'a');
      const query = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
      expect(told(await the().watched(events, query))).toEqual([line('ADDED', a)]);
      const lines = await the().watched(events, `${query}&allowWatchBookmarks=true`);
      expect(told(lines)).toEqual([line('ADDED', a), 'BOOKMARK']);
      expect(lines[1]?.object).toHaveProperty(['metadata', 'annotations', 'k8s.io/initial-events-end'], 'true');
    });

    test('ends by its timeout with a complete response, even if there was nothing to tell', async () => {
      const { events } = await fresh();
      expect(await the().watched(events, `resourceVersion=${await the().now()}&allowWatchBookmarks=true`)).toEqual([]);
    });

    test('ends when its time is up, although it has not told all there was: a clean end proves nothing', async () => {
      const { namespace, events } = await fresh();
      const from = `resourceVersion=${await the().now()}`;
      const message = 'x'.repeat(1_000_000);
      for (let n = 0; n < 20; n++) await the().create(namespace, `n${n}`, { message });
      const slow = the().watch(events, `timeoutSeconds=1&${from}`);
      await slow.next();
      await the().watched(events, `resourceVersion=${await the().now()}`);
      expect(1 + (await Array.fromAsync(slow)).length).toBeLessThan(20);
    }, 60_000);

    test('from a resourceVersion that is yet to come is accepted, and quiet until then', async () => {
      const { namespace, events } = await fresh();
      const from = Number(await the().now()) + 1_000_000;
      const lines = the().watched(events, `resourceVersion=${from}`);
      await the().create(namespace, 'a');
      expect(await lines).toEqual([]);
    });

    test.for([
      ['resourceVersion=abc', 500],
      ['resourceVersionMatch=NotOlderThan&resourceVersion=1', 422],
      ['sendInitialEvents=true', 422],
      ['continue=abc', 422],
      ['fieldSelector=shade%3Dblue', 400],
      ['timeoutSeconds=soon', 400],
    ] as const)('refuses %s with %i', async ([query, code]) => {
      const { status, body } = await the().ask(`${CORE}/events?watch=true&${query}`);
      expect(status).toBe(code);
      expect(body).toMatchObject({ kind: 'Status', code });
    });

    test.for([
      ['1', 'watch'],
      ['', 'watch'],
      ['yes', 'watch'],
      ['0', 'list'],
      ['false', 'list'],
    ] as const)('is asked for by watch=%s: it is a %s', async ([value, kind]) => {
      const { events } = await fresh();
      const { body } = await the().ask(`${events}?timeoutSeconds=1&watch=${value}`);
      expect(Object(body).kind).toBe(kind === 'list' ? 'EventList' : undefined);
    });
  });

  describe('a watch of a compacted history', () => {
    test('from a compacted resourceVersion is accepted, and says 410 in its first and last line', async () => {
      const { namespace, events } = await fresh();
      const { metadata } = await the().create(namespace, 'a');
      await the().update(namespace, 'a', { count: 2 });
      await the().update(namespace, 'a', { count: 3 });
      await the().server.compact();
      for (const path of [events, `${CORE}/events`, `${GROUP}/events`]) {
        const lines = await the().watched(path, `resourceVersion=${metadata.resourceVersion}`);
        expect(lines).toHaveLength(1);
        expect(lines[0]).toMatchObject({
          type: 'ERROR',
          object: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Expired', code: 410 },
        });
      }
    });

    test('from the last resourceVersion before a compacted change says 500: the state before it is gone', async () => {
      const { namespace, events } = await fresh();
      await the().create(namespace, 'a');
      const { metadata } = await the().update(namespace, 'a', { count: 2 });
      await the().server.compact();
      const before = Number(metadata.resourceVersion) - 1;
      const lines = await the().watched(events, `resourceVersion=${before}`);
      expect(lines).toMatchObject([{ type: 'ERROR', object: { code: 500, reason: 'InternalError' } }]);
      expect(await the().watched(events, `resourceVersion=${metadata.resourceVersion}`)).toEqual([]);
    });

    test('that is open when history is compacted goes on', async () => {
      const { namespace, events } = await fresh();
      const watch = the().watch(events, `timeoutSeconds=30&resourceVersion=${await the().now()}`);
      const next = watch.next();
      await the().create(namespace, 'a');
      await next;
      await the().server.compact();
      const b = await the().create(namespace, 'b');
      expect(told([(await watch.next()).value])).toEqual([line('ADDED', b)]);
      await watch.return(undefined);
    });
  });

  describe.concurrent('a watch by fields', () => {
    test('tells of a change that enters the selection as ADDED, and of one that leaves it as DELETED', async () => {
      const { namespace, events } = await fresh();
      const from = `resourceVersion=${await the().now()}`;
      const a = await the().create(namespace, 'a', { reason: 'Quiet' });
      const entered = await the().update(namespace, 'a', { reason: 'Loud' });
      const changed = await the().update(namespace, 'a', { count: 2 });
      const left = await the().update(namespace, 'a', { reason: 'Quiet', count: 3 });
      await the().delete(namespace, 'a');
      const lines = await the().watched(events, `${from}&fieldSelector=reason%3DLoud`);
      expect(told(lines)).toEqual([line('ADDED', entered), line('MODIFIED', changed), line('DELETED', left)]);
      expect(lines[2]?.object).toMatchObject({ reason: 'Loud', count: 2 });
      const not = await the().watched(events, `${from}&fieldSelector=reason!%3DLoud`);
      expect(told(not).slice(0, 3)).toEqual([line('ADDED', a), line('DELETED', entered), line('ADDED', left)]);
      expect(not).toHaveLength(4);
      expect(not[3]?.type).toBe('DELETED');
    });

    test('of one name sees that one', async () => {
      const { namespace, events } = await fresh();
      const from = `resourceVersion=${await the().now()}`;
      await the().create(namespace, 'a');
      const b = await the().create(namespace, 'b');
      expect(told(await the().watched(events, `${from}&fieldSelector=metadata.name%3Db`))).toEqual([line('ADDED', b)]);
    });
  });

  describe.concurrent('a watch of another shape', () => {
    test('tells in events.k8s.io of the same Events under the same resourceVersions', async () => {
      const { namespace, events } = await fresh();
      const from = `resourceVersion=${await the().now()}`;
      await the().create(namespace, 'a');
      await the().update(namespace, 'a', { count: 2 });
      const lines = await the().watched(`${GROUP}/namespaces/${namespace}/events`, from);
      expect(told(lines)).toEqual(told(await the().watched(events, from)));
      expect(lines[1]?.object).toMatchObject({ apiVersion: 'events.k8s.io/v1', deprecatedCount: 2 });
    });

    test('can be of metadata only', async () => {
      const { namespace, events } = await fresh();
      const from = `resourceVersion=${await the().now()}`;
      await the().create(namespace, 'a');
      const [only] = await the().watched(events, from, METADATA);
      expect(only?.object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'a', namespace } });
      expect(only?.object).not.toHaveProperty('reason');
    });
  });
}
