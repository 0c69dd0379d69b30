import { describe, expect, test } from 'vitest';
import { type ApiClient, CORE, eventOf, GROUP } from './api-server.ts';

const NEW = {
  eventTime: '2026-11-01T00:00:00.123456Z',
  reportingController: 'example.com/backup',
  reportingInstance: 'backup-1',
  action: 'Copying',
  reason: 'Copied',
  note: 'The volume has been copied',
  type: 'Normal',
  related: { kind: 'Node', name: 'node-1' },
  series: { count: 2, lastObservedTime: '2026-11-01T00:00:01.000001Z' },
};

export function writeContract(the: () => ApiClient): void {
  const fresh = async () => {
    const namespace = await the().createNamespace();
    return {
      namespace,
      events: `${CORE}/namespaces/${namespace}/events`,
      group: `${GROUP}/namespaces/${namespace}/events`,
    };
  };

  describe.concurrent('a write', () => {
    test('fills in what the server owns', async () => {
      const { namespace, events } = await fresh();
      const metadata = { generateName: 'made-', uid: 'mine', creationTimestamp: '2020-01-01T00:00:00Z' };
      const { status, body } = await the().ask(events, { method: 'POST', body: eventOf(namespace, '', { metadata }) });
      expect(status).toBe(201);
      expect(body).toMatchObject({
        metadata: {
          namespace,
          name: expect.stringMatching(/^made-.{5}$/),
          uid: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
          creationTimestamp: expect.not.stringMatching(/^2020/),
        },
      });
    });

    test('that changes nothing makes no revision', async () => {
      const { namespace, events } = await fresh();
      const created = await the().create(namespace, 'a');
      expect(await the().update(namespace, 'a', { count: 1 })).toEqual(created);
      expect(await the().watched(events, `resourceVersion=${created.metadata.resourceVersion}`)).toEqual([]);
    });

    test('replaces an Event, and loses to another that came first', async () => {
      const { namespace, events } = await fresh();
      const created = await the().create(namespace, 'a');
      const put = (body: object) => the().ask(`${events}/a`, { method: 'PUT', body });
      expect(await put({ ...created, count: 2 })).toMatchObject({ status: 200, body: { count: 2 } });
      const late = await put({ ...created, count: 3 });
      expect(late).toMatchObject({ status: 409, body: { kind: 'Status', reason: 'Conflict', code: 409 } });
      expect(await put(eventOf(namespace, 'a', { count: 4 }))).toMatchObject({ status: 200, body: { count: 4 } });
      expect(await put(eventOf(namespace, 'b'))).toMatchObject({ status: 400 });
    });

    test('of an Event that is not there creates it by PUT, and not by PATCH or DELETE', async () => {
      const { namespace, events } = await fresh();
      const missing = {
        status: 404,
        body: { kind: 'Status', reason: 'NotFound', details: { name: 'a', kind: 'events' } },
      };
      expect(await the().ask(`${events}/a`)).toMatchObject(missing);
      expect(await the().ask(`${events}/a`, { method: 'DELETE' })).toMatchObject(missing);
      const patch = { method: 'PATCH', body: {}, contentType: 'application/merge-patch+json' } as const;
      expect(await the().ask(`${events}/a`, patch)).toMatchObject(missing);
      expect((await the().ask(`${events}/a`, { method: 'PUT', body: eventOf(namespace, 'a') })).status).toBe(201);
      expect((await the().ask(`${events}/a`, { method: 'PATCH', body: {} })).status).toBe(415);
    });

    test('by a merge patch changes what it names and drops what it nulls', async () => {
      const { namespace } = await fresh();
      await the().create(namespace, 'a', { action: 'Starting' });
      const patched = await the().update(namespace, 'a', { count: 2, message: null, source: { host: null } });
      expect(patched).toMatchObject({
        count: 2,
        source: { component: 'kubelet' },
        action: 'Starting',
        reason: 'Started',
      });
      expect(patched).not.toHaveProperty('message');
      expect(patched).not.toHaveProperty('source.host');
    });

    test('deletes, and says what', async () => {
      const { namespace, events } = await fresh();
      const { metadata } = await the().create(namespace, 'a');
      const { status, body } = await the().ask(`${events}/a`, { method: 'DELETE' });
      expect(status).toBe(200);
      expect(body).toMatchObject({ status: 'Success', details: { name: 'a', kind: 'events', uid: metadata.uid } });
    });

    test('after a deletion is a new Event', async () => {
      const { namespace, events } = await fresh();
      const first = await the().create(namespace, 'a');
      await the().delete(namespace, 'a');
      const second = await the().create(namespace, 'a');
      expect(second.metadata.uid).not.toBe(first.metadata.uid);
      const lines = await the().watched(events, `resourceVersion=${first.metadata.resourceVersion}`);
      expect(lines.map(({ type }) => type)).toEqual(['DELETED', 'ADDED']);
    });

    test.for([
      ['an Event that is there', 'a', {}, 409, 'AlreadyExists'],
      ['one without a name', '', {}, 422, 'Invalid'],
      ['a name with a slash', 'a/b', {}, 422, 'Invalid'],
      ['an object of another namespace', 'b', { involvedObject: { kind: 'Pod', namespace: 'other' } }, 422, 'Invalid'],
      ['an object of none outside of default', 'b', { involvedObject: { kind: 'Node' } }, 422, 'Invalid'],
      ['another namespace than the path', 'b', { metadata: { name: 'b', namespace: 'other' } }, 400, 'BadRequest'],
      ['a count that is text', 'b', { count: 'two' }, 400, 'BadRequest'],
      ['a time that is none', 'b', { firstTimestamp: 'noon' }, 400, 'BadRequest'],
      ['another API group', 'b', { apiVersion: 'events.k8s.io/v1' }, 400, 'BadRequest'],
    ] as const)('refuses %s', async ([, name, fields, code, reason]) => {
      const { namespace, events } = await fresh();
      await the().create(namespace, 'a');
      const { status, body } = await the().ask(events, { method: 'POST', body: eventOf(namespace, name, fields) });
      expect(status).toBe(code);
      expect(body).toMatchObject({ kind: 'Status', status: 'Failure', code, reason });
    });

    test('refuses what is not JSON, what is of another type, and a namespace that is not there', async () => {
      const { namespace, events } = await fresh();
      expect((await the().ask(events, { method: 'POST', body: '{no' })).status).toBe(400);
      const text = { method: 'POST', body: eventOf(namespace, 'a'), contentType: 'text/plain' } as const;
      expect((await the().ask(events, text)).status).toBe(415);
      const nowhere = await the().ask(`${CORE}/namespaces/nowhere/events`, {
        method: 'POST',
        body: eventOf('nowhere', 'a'),
      });
      expect(nowhere).toMatchObject({ status: 404, body: { details: { name: 'nowhere', kind: 'namespaces' } } });
      expect((await the().ask(`${CORE}/events`, { method: 'POST', body: eventOf(namespace, 'a') })).status).toBe(405);
      const versioned = eventOf(namespace, 'a', { metadata: { name: 'a', resourceVersion: '5' } });
      expect((await the().ask(events, { method: 'POST', body: versioned })).status).toBe(500);
    });
  });

  describe('the two API groups', () => {
    test('show one object under the same uid and resourceVersion', async () => {
      const { namespace, events, group } = await fresh();
      const regarding = { kind: 'Pod', namespace, name: 'web-0' };
      const created = await the().ask(group, { method: 'POST', body: { metadata: { name: 'a' }, regarding, ...NEW } });
      expect(created).toMatchObject({ status: 201, body: { apiVersion: 'events.k8s.io/v1', regarding, ...NEW } });
      const { status, body: core } = await the().ask(`${events}/a`);
      expect(status).toBe(200);
      const { reportingController, note, ...same } = NEW;
      const names = { involvedObject: regarding, reportingComponent: reportingController, message: note };
      expect(core).toMatchObject({ kind: 'Event', apiVersion: 'v1', ...same, ...names });
      expect(core).toMatchObject({ source: {}, firstTimestamp: null, lastTimestamp: null });
      const { metadata } = Object(created.body);
      expect(Object(core).metadata).toMatchObject({ uid: metadata.uid, resourceVersion: metadata.resourceVersion });
    });

    test('give the old fields other names', async () => {
      const { namespace, group } = await fresh();
      await the().create(namespace, 'a', { count: 7, firstTimestamp: '2026-11-01T01:00:00.5+01:00' });
      expect((await the().ask(`${group}/a`)).body).toMatchObject({
        eventTime: null,
        note: 'The container has started',
        deprecatedSource: { component: 'kubelet', host: 'node-1' },
        deprecatedFirstTimestamp: '2026-11-01T00:00:00Z',
        deprecatedLastTimestamp: '2026-11-01T00:00:00Z',
        deprecatedCount: 7,
      });
    });

    test('hold the new one to its rules: a time, a controller, a known type', async () => {
      const { group } = await fresh();
      const regarding = { kind: 'Pod', namespace: 'elsewhere', name: 'web-0' };
      const post = (fields: object) =>
        the().ask(group, { method: 'POST', body: { metadata: { name: 'a' }, regarding, ...NEW, ...fields } });
      for (const lacking of [{ eventTime: null }, { reportingController: '' }, { type: 'Urgent' }]) {
        expect(await post(lacking)).toMatchObject({ status: 422, body: { reason: 'Invalid' } });
      }
      expect(await post({})).toMatchObject({ status: 201, body: { regarding: { namespace: 'elsewhere' } } });
    });
  });

  describe('a server', () => {
    test('says who it is and that it is ready', async () => {
      expect((await the().ask('/version')).body).toMatchObject({ major: '1', minor: expect.any(String) });
      for (const path of ['/readyz', '/livez']) expect((await the().ask(path)).body).toBe('ok');
      const { body } = await the().ask(GROUP);
      const [events] = Object(body).resources;
      expect(events).toMatchObject({ name: 'events', namespaced: true, kind: 'Event', shortNames: ['ev'] });
      expect(events.verbs).toEqual(expect.arrayContaining(['create', 'get', 'list', 'patch', 'update', 'watch']));
    });

    test('has namespaces', async () => {
      const { namespace } = await fresh();
      const of = { kind: 'Namespace', apiVersion: 'v1', metadata: { name: namespace }, status: { phase: 'Active' } };
      expect((await the().ask(`${CORE}/namespaces/${namespace}`)).body).toMatchObject(of);
      const again = { method: 'POST', body: { metadata: { name: namespace } } } as const;
      expect(await the().ask(`${CORE}/namespaces`, again)).toMatchObject({ status: 409 });
      expect((await the().ask(`${CORE}/namespaces/nowhere`)).status).toBe(404);
      const { body } = await the().ask(`${CORE}/namespaces`);
      expect(Object(body).items).toContainEqual(
        expect.objectContaining({ metadata: expect.objectContaining(of.metadata) }),
      );
    });

    test.for(['/api/v1/nothing', '/api/v1/namespaces/default/nothing', '/apis/events.k8s.io/v1/nothing', '/nothing'])(
      'does not have %s',
      async (path) => {
        expect((await the().ask(path)).status).toBe(404);
      },
    );

    test('lets nobody in without a good token, and a stranger do nothing', async () => {
      const path = `${CORE}/namespaces/default/events`;
      const refused = (code: number, reason: string) => ({ status: code, body: { kind: 'Status', code, reason } });
      expect(await the().ask(path, { token: 'not-a-token' })).toMatchObject(refused(401, 'Unauthorized'));
      const stranger = await the().ask(`${path}?watch=true`, { token: the().server.strangersToken });
      expect(stranger).toMatchObject(refused(403, 'Forbidden'));
      expect(Object(stranger.body).message).toMatch(
        /cannot watch resource "events" in API group "" in the namespace "default"/,
      );
    });
  });
}
