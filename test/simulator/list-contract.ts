import { describe, expect, test } from 'vitest';
import { type ApiClient, CORE, GROUP, METADATA_LIST, namesOf } from './api-server.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];

/** A namespace of five Events, written in another order than that of their names. */
async function five(client: ApiClient) {
  const namespace = await client.createNamespace();
  for (const name of ['c', 'e', 'a', 'd', 'b']) await client.create(namespace, name);
  return { namespace, events: `${CORE}/namespaces/${namespace}/events` };
}

export function listContract(the: () => ApiClient): void {
  describe('a list', () => {
    test('comes in the order of the keys, not in that of the writes', async () => {
      const { events } = await five(the());
      expect(namesOf(await the().list(events))).toEqual(NAMES);
    });

    test('of all namespaces sorts them with their slash: team-a, team, team0; of one it is only that', async () => {
      const team = await the().createNamespace('team');
      const others = [`${team}-a`, `${team}0`];
      for (const name of others) {
        await the().ask(`${CORE}/namespaces`, { method: 'POST', body: { metadata: { name } } });
      }
      for (const namespace of [...others, team]) await the().create(namespace, 'x');
      const { items } = await the().list(`${CORE}/events`);
      const namespaces = items.map(({ metadata }) => metadata.namespace).filter((name) => name.startsWith(team));
      expect(namespaces).toEqual([`${team}-a`, team, `${team}0`]);
      expect((await the().list(`${CORE}/namespaces/${team}/events`)).items).toHaveLength(1);
    });

    test('in pages gives each Event once, and says how many are left', async () => {
      const { events } = await five(the());
      const pages = await the().pages(events, 2);
      expect(pages.map((page) => namesOf(page))).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
      expect(pages.map(({ metadata }) => metadata.remainingItemCount)).toEqual([3, 1, undefined]);
    });

    test('in pages shows one state, whatever is written meanwhile', async () => {
      const { namespace, events } = await five(the());
      const before = await the().list(events);
      const pages = await the().pages(events, 1, async () => {
        await the().update(namespace, 'c', { count: Math.floor(Math.random() * 1e9) });
        await the().create(namespace, `b-${crypto.randomUUID()}`);
        await the().ask(`${events}/e`, { method: 'DELETE' });
      });
      expect(pages.flatMap(({ items }) => items)).toEqual(before.items);
      expect(new Set(pages.map(({ metadata }) => metadata.resourceVersion)).size).toBe(1);
    });

    test('of a whole does not say how many are left, nor does one with a selector', async () => {
      const { events } = await five(the());
      expect((await the().list(events)).metadata).not.toHaveProperty('remainingItemCount');
      const selected = await the().list(`${events}?limit=2&fieldSelector=reason%3DStarted`);
      expect(namesOf(selected)).toEqual(['a', 'b']);
      expect(selected.metadata.continue).toBeTypeOf('string');
      expect(selected.metadata).not.toHaveProperty('remainingItemCount');
    });

    test('continued after a compaction answers 410 with a token that goes on at the present', async () => {
      const { namespace, events } = await five(the());
      const first = await the().list(`${events}?limit=2`);
      await the().update(namespace, 'a', { count: 2 });
      const changed = await the().update(namespace, 'd', { count: 2 });
      await the().server.compact();
      const gone = await the().ask(`${events}?limit=2&continue=${first.metadata.continue}`);
      expect(gone.status).toBe(410);
      expect(gone.body).toMatchObject({ kind: 'Status', status: 'Failure', reason: 'Expired', code: 410 });
      const { metadata } = gone.body as { metadata: { continue: string } };
      const rest = await the().list(`${events}?limit=2&continue=${metadata.continue}`);
      expect(namesOf(rest)).toEqual(['c', 'd']);
      expect(rest.items[1]).toMatchObject({ metadata: changed.metadata });
      expect(Number(rest.metadata.resourceVersion)).toBeGreaterThan(Number(first.metadata.resourceVersion));
      const last = await the().list(`${events}?limit=2&continue=${rest.metadata.continue}`);
      expect(namesOf(last)).toEqual(['e']);
    });

    test.for([
      ['not a token', 'continue=nonsense', 400],
      ['of another version', `continue=${token({ v: 'meta.k8s.io/v2', rv: 5, start: 'a' })}`, 400],
      [
        'with a resourceVersion beside it',
        `continue=${token({ v: 'meta.k8s.io/v1', rv: 5, start: 'a' })}&resourceVersion=1`,
        400,
      ],
      ['from the future', `continue=${token({ v: 'meta.k8s.io/v1', rv: 2 ** 40, start: 'a' })}`, 504],
    ] as const)('refuses a continue token that is %s', async ([, query, status]) => {
      expect((await the().ask(`${CORE}/events?limit=1&${query}`)).status).toBe(status);
    });
  });

  describe('a list at a resourceVersion', () => {
    test('shows what was there then, when that is asked for exactly', async () => {
      const { namespace, events } = await five(the());
      const then = await the().list(events);
      await the().delete(namespace, 'b');
      await the().create(namespace, 'f');
      const { resourceVersion } = then.metadata;
      const exact = await the().list(`${events}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`);
      expect(exact.items).toEqual(then.items);
      expect(exact.metadata.resourceVersion).toBe(resourceVersion);
      const limited = await the().list(`${events}?resourceVersion=${resourceVersion}&limit=10`);
      expect(namesOf(limited)).toEqual(NAMES);
      const newer = `${events}?resourceVersion=${resourceVersion}&resourceVersionMatch=NotOlderThan`;
      expect(namesOf(await the().list(newer))).toEqual(['a', 'c', 'd', 'e', 'f']);
      expect(namesOf(await the().list(`${events}?resourceVersion=0&limit=1`))).toEqual(['a']);
    });

    test('answers 410 to an exact one that is compacted, and the present to one not older', async () => {
      const { namespace, events } = await five(the());
      const { resourceVersion } = (await the().list(events)).metadata;
      await the().update(namespace, 'a', { count: 2 });
      await the().server.compact();
      for (const query of ['resourceVersionMatch=Exact', 'limit=1']) {
        const gone = await the().ask(`${events}?resourceVersion=${resourceVersion}&${query}`);
        expect(gone.body).toMatchObject({ code: 410, reason: 'Expired' });
        expect(gone.body).not.toHaveProperty('metadata.continue');
      }
      expect(namesOf(await the().list(`${events}?resourceVersion=${resourceVersion}`))).toEqual(NAMES);
    });

    test.for([
      ['resourceVersion=9999999999999', 504, 'Timeout'],
      ['resourceVersion=abc', 400, 'BadRequest'],
      ['resourceVersionMatch=Exact', 422, 'Invalid'],
      ['resourceVersionMatch=Exact&resourceVersion=0', 422, 'Invalid'],
      ['resourceVersionMatch=Soon&resourceVersion=1', 422, 'Invalid'],
      ['sendInitialEvents=true', 422, 'Invalid'],
      ['limit=many', 400, 'BadRequest'],
    ] as const)('refuses %s with %i', async ([query, code, reason]) => {
      const { status, body } = await the().ask(`${CORE}/events?${query}`);
      expect(status).toBe(code);
      expect(body).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason });
    });
  });

  describe('a list by fields', () => {
    test.for([
      ['reason=Started', ['plain']],
      ['reason==Started,type!=Warning', ['plain']],
      ['type!=Normal', ['other']],
      ['involvedObject.name=db-0', ['other']],
      [
        'involvedObject.kind=Pod,involvedObject.namespace=$,involvedObject.uid=b5a3,involvedObject.apiVersion=v1',
        ['plain'],
      ],
      ['involvedObject.fieldPath=', ['plain']],
      ['source=kubelet', ['plain']],
      ['source=example.com/backup', ['other']],
      ['reportingComponent=example.com/backup', ['other']],
      ['metadata.name=other,metadata.namespace=$', ['other']],
      ['metadata.namespace=elsewhere', []],
      ['reason=Nothing', []],
      [String.raw`reason=a\=b`, []],
      ['', ['other', 'plain']],
    ] as const)('selects by %s', async ([selector, names]) => {
      const namespace = await the().createNamespace();
      const object = { kind: 'Pod', namespace, name: 'db-0', fieldPath: 'spec.containers{db}' };
      const by = { source: {}, reportingComponent: 'example.com/backup', reportingInstance: 'backup-1' };
      await the().create(namespace, 'plain');
      await the().create(namespace, 'other', { involvedObject: object, reason: 'Saved', type: 'Warning', ...by });
      const text = encodeURIComponent(selector.replaceAll('$', namespace));
      expect(namesOf(await the().list(`${CORE}/namespaces/${namespace}/events?fieldSelector=${text}`))).toEqual(names);
    });

    test('selects by its own names in events.k8s.io', async () => {
      const { namespace, events } = await five(the());
      const path = `${GROUP}/namespaces/${namespace}/events`;
      await the().create(namespace, 'f', { involvedObject: { kind: 'Job', namespace, name: 'backup' } });
      expect(namesOf(await the().list(`${path}?fieldSelector=regarding.kind%3DJob`))).toEqual(['f']);
      expect((await the().ask(`${path}?fieldSelector=involvedObject.kind%3DJob`)).status).toBe(400);
      expect((await the().ask(`${path}?fieldSelector=source%3Dkubelet`)).status).toBe(400);
      expect((await the().ask(`${events}?fieldSelector=regarding.kind%3DJob`)).status).toBe(400);
    });

    test.for(['shade%3Dblue', 'reason', 'reason%3Da%3Db', '%20reason%3Da'])('refuses %s with 400', async (selector) => {
      const { status, body } = await the().ask(`${CORE}/events?fieldSelector=${selector}`);
      expect(status).toBe(400);
      expect(body).toMatchObject({ kind: 'Status', reason: 'BadRequest', code: 400 });
    });
  });

  describe('a list of metadata', () => {
    test('has the names, the uids and the versions, and nothing of the Events', async () => {
      const { events } = await five(the());
      const full = await the().list(`${events}?limit=2`);
      const list = await the().list(`${events}?limit=2`, METADATA_LIST);
      expect(list).toMatchObject({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' });
      expect(list.metadata.remainingItemCount).toBe(3);
      expect(list.items.map(({ metadata }) => metadata.uid)).toEqual(full.items.map(({ metadata }) => metadata.uid));
      for (const item of list.items) {
        expect(Object.keys(item).sort()).toEqual(['apiVersion', 'kind', 'metadata']);
        expect(item).toMatchObject({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' });
      }
    });

    test('is one thing for a list and another for an object', async () => {
      const { events } = await five(the());
      expect((await the().ask(`${events}/a`, { accept: METADATA_LIST })).status).toBe(406);
      expect((await the().ask(events, { accept: METADATA_LIST.replace('List', '') })).status).toBe(406);
      expect((await the().ask(events, { accept: 'text/html' })).status).toBe(406);
      expect((await the().ask(events, { accept: 'text/html,*/*' })).status).toBe(200);
    });
  });
}

function token(payload: object): string {
  return Buffer.from(JSON.stringify(payload)).toString('base64url');
}
