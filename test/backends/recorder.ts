import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { KubeAddress } from './kube.ts';
import { command, goProgram, RECORDER } from './machine.ts';

export interface Recording {
  readonly namespace: string;
  /** How many Pods the Events are about. */
  readonly objects: number;
  /** How often each Event is emitted. */
  readonly repeats: number;
  /** How many similar Events each Pod gets from tools/record; those after the tenth are combined. */
  readonly distinct: number;
}

const Part = z.object({ emitted: z.number(), revisions: z.number() });
const Summary = z.object({ record: Part, events: Part });
/** What each of client-go's recorders was asked to emit, and the revisions that it made. */
export type RecordingSummary = z.infer<typeof Summary>;

/** Lets client-go's own recorders make Events, and settles when the API server has them all. */
export async function record(kube: KubeAddress, recording: Recording): Promise<RecordingSummary> {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'kube-fanout-recorder-'));
  const ca = join(directory.path, 'ca.pem');
  await writeFile(ca, kube.ca);
  const flags = { server: kube.server, ca, token: kube.token, ...recording };
  const args = Object.entries(flags).map(([name, value]) => `-${name}=${value}`);
  return Summary.parse(JSON.parse(await command(await goProgram(RECORDER), args)));
}
