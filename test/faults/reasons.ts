/** A NATS stream for each reason's own subject, of which one can be taken away: its messages wait, the others pass. */
import { randomUUID } from 'node:crypto';
import type { NatsAddress } from '../backends/nats.ts';
import { NatsWire } from '../contract/nats-wire.ts';
import { natsSubscriber, type Subscriber } from '../main-job/subscribers.ts';

export const REASONS = ['BackOff', 'Pulled', 'FailedMount', 'Unhealthy', 'Scheduled', 'FailedScheduling', 'Created'];

export interface ReasonStream {
  readonly subscriber: Subscriber;
  /** Which reasons the stream takes from now on; gap records always. */
  take(reasons: readonly string[]): Promise<void>;
}

export async function reasonStream(at: NatsAddress): Promise<ReasonStream> {
  const name = `EVENTS${randomUUID().replaceAll('-', '')}`;
  const inner = await natsSubscriber(at, name);
  const take = async (reasons: readonly string[]) => {
    await using wire = await NatsWire.connect(at);
    const subjects = ['all', 'EventsGap', ...reasons].map((reason) => `${name}.${reason}`);
    await wire.jetStream(`STREAM.UPDATE.${name}`, { name, subjects, storage: 'file', retention: 'limits' });
  };
  await take(REASONS);
  return {
    take,
    subscriber: {
      ...inner,
      to: { subject: `${name}.{event.reason}` },
      // Order holds within each subject.
      seen: async () => (await inner.seen()).map((seen) => ({ ...seen, part: reasonOf(seen.data) })),
    },
  };
}

function reasonOf(data: unknown): string {
  return typeof data === 'object' && data !== null && 'reason' in data ? String(data.reason) : '';
}
