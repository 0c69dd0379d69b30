/**
 * Standard output: a line for each Event, for pipes and for people.
 *
 * Delivery: when the line has been written. Whoever reads the pipe may still lose it.
 * Order: that of the batches; lines are never torn apart.
 * Limits: none. A reader that is slow slows its route down, and no other.
 * Names: there is one destination, which has no name.
 * Errors:
 *   | what happens            | outcome         |
 *   | the reader has gone     | connection lost |
 */
import type { Writable } from 'node:stream';
import { z } from 'zod';
import {
  type Adapter,
  type AdapterType,
  ConnectionLost,
  type Destination,
  type Finding,
  type Message,
  type Outcome,
  structuredJson,
} from '../src/adapter.ts';
import { networkProblem } from './network-problem.ts';
import { eventLine } from './stdout-text.ts';
import { UnderWay } from './under-way.ts';

const brokerOptions = z.strictObject({
  /** `json`: the CloudEvent in structured mode. `text`: when, how bad, what about, and what it says. */
  format: z.enum(['json', 'text']).default('json'),
});

const routeOptions = z.strictObject({});

type BrokerOptions = z.output<typeof brokerOptions>;

type Output = Writable & { readonly isTTY?: boolean };

/** The adapter for one stream; the tests give another one than the process's own. */
export function lineAdapter(stream: () => Output): AdapterType<BrokerOptions, Record<string, never>> {
  return {
    name: 'stdout',
    brokerOptions,
    routeOptions,
    destination: { field: undefined, escape: (value) => value || '_', refuse: () => undefined },
    capabilities: {
      orderedBatches: true,
      batchSize: 500,
      parallelism: 1,
      knowsDestinations: false,
      stores: false,
      deduplicates: false,
      mode: 'structured',
    },
    create: async ({ format }) => new LineAdapter(stream(), format),
  };
}

export const stdout = lineAdapter(() => process.stdout);

/** Takes a status line off a terminal, which may be the same that standard error goes to. */
const ERASE_LINE = '\r\x1b[2K';

class LineAdapter implements Adapter {
  readonly #stream: Output;
  readonly #format: BrokerOptions['format'];
  readonly #underWay = new UnderWay();
  #lines = 0;

  constructor(stream: Output, format: BrokerOptions['format']) {
    this.#stream = stream;
    this.#format = format;
  }

  async connect(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#stream.writable) throw new Error('Nobody reads standard output any more: its pipe is closed.');
    // Each write has its own answer; an error that nobody listens to would end the process as well.
    if (this.#stream.listenerCount('error') === 0) this.#stream.on('error', () => {});
  }

  async check(destinations: readonly Destination[]): Promise<readonly Finding[]> {
    return destinations.map((destination) => ({ destination, problem: undefined }));
  }

  async publish(batch: readonly Message[], signal: AbortSignal): Promise<readonly Outcome[]> {
    if (batch.length === 0) return [];
    await this.#underWay.run(() => this.#write(Buffer.concat(batch.flatMap((message) => this.#line(message)))), signal);
    return batch.map(() => ({ kind: 'delivered', receipt: { line: ++this.#lines } }));
  }

  async close(): Promise<void> {
    this.#underWay.end(new ConnectionLost('closed'));
  }

  #line({ attributes, data }: Message): Uint8Array[] {
    if (this.#format === 'json') return [structuredJson(attributes, data), NEW_LINE];
    const colour = this.#stream.isTTY === true;
    return [Buffer.from(`${colour ? ERASE_LINE : ''}${eventLine(attributes, data, { colour })}\n`)];
  }

  /** The callback comes when the system has taken the bytes: waiting for it is the back-pressure. */
  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(bytes, (error) => {
        if (error) reject(new ConnectionLost(`Standard output: ${networkProblem(error)}.`, { cause: error }));
        else resolve();
      });
    });
  }
}

const NEW_LINE = Buffer.from('\n');
