import {
  type Adapter,
  ConnectionLost,
  type Destination,
  type Finding,
  type Message,
  type Outcome,
} from '../src/adapter.ts';
import { type Answer, inBatches, sendInOrder, Verdicts } from './in-order.ts';
import { channelProblem, explainConnect, isReady, type PublisherClient, type PubSubLogin } from './pubsub-client.ts';
import { type PubSubMessage, REQUEST_LIMITS, refusalOf, toPubSub } from './pubsub-message.ts';
import { forbiddenTopic, isStatusError, missingTopic, STATUS, type StatusError, verdictOf } from './pubsub-outcome.ts';
import { UnderWay } from './under-way.ts';

const REQUEST_TIMEOUT_MS = 20_000;
/** A request may expire a little before its time by our clock. */
const EARLY_MS = 500;

const PUBLISH = 'pubsub.topics.publish';

export class PubSubAdapter implements Adapter {
  readonly #open: () => Promise<PublisherClient>;
  #client: PublisherClient | undefined;
  readonly #login: PubSubLogin;
  readonly #mode: 'binary' | 'structured';
  readonly #underWay = new UnderWay();
  /** Ends the requests that are under way: a channel that closes waits for them. */
  readonly #closing = new AbortController();
  /** Requests that the service has answered. */
  #answers = 0;

  constructor(open: () => Promise<PublisherClient>, login: PubSubLogin, mode: 'binary' | 'structured') {
    this.#open = open;
    this.#login = login;
    this.#mode = mode;
  }

  /** The login is tried on a topic that need not be there: any answer will do but a refusal of the credentials. */
  async connect(signal: AbortSignal): Promise<void> {
    try {
      await this.#underWay.run(async () => {
        this.#client = await this.#open();
        this.#closing.signal.throwIfAborted();
        await this.#ask((client) => client.getTopic({ topic: this.#path('kube-fanout-login') }, this.#options()));
      }, signal);
    } catch (error) {
      await this.close();
      signal.throwIfAborted();
      throw explainConnect(error instanceof ConnectionLost ? error.cause : error, this.#login);
    }
  }

  check(destinations: readonly Destination[], signal: AbortSignal): Promise<readonly Finding[]> {
    const find = async (topic: Destination) => ({ destination: topic, problem: await this.#problemOf(topic) });
    return this.#underWay.run(() => Promise.all(destinations.map(find)), signal);
  }

  publish(batch: readonly Message[], signal: AbortSignal): Promise<readonly Outcome[]> {
    return this.#underWay.run(async () => {
      const verdicts = new Verdicts();
      // One request holds messages of one topic and one ordering key.
      const lanes = Map.groupBy(
        batch.map((message) => toPubSub(message, this.#mode)),
        ({ message, orderingKey }) => `${message.destination}\n${orderingKey}`,
      );
      await Promise.all(Array.from(lanes.values(), (messages) => this.#publishLane(messages, verdicts)));
      return verdicts.of(batch);
    }, signal);
  }

  async close(): Promise<void> {
    const closed = new ConnectionLost('closed');
    this.#underWay.end(closed);
    this.#closing.abort(closed);
    await this.#client?.close().catch(() => {});
  }

  async #publishLane(messages: readonly PubSubMessage[], verdicts: Verdicts): Promise<void> {
    const batches = inBatches(verdicts.sound(messages, refusalOf), REQUEST_LIMITS);
    await sendInOrder({ batches, verdicts, send: (batch) => this.#send(batch) });
  }

  async #send(batch: readonly PubSubMessage[]): Promise<Answer> {
    const topic = batch[0]?.message.destination ?? '';
    const messages = batch.map(({ data, attributes, orderingKey }) => ({ data, attributes, orderingKey }));
    const request = { topic: this.#path(topic), messages };
    const answer = await this.#ask((client) => client.publish(request, this.#options()));
    if (isStatusError(answer)) return verdictOf(topic, answer);
    return { kind: 'stored', receipts: (answer[0].messageIds ?? []).map((messageId) => ({ topic, messageId })) };
  }

  /** Who may publish may often not look, and who may look may not publish: so both are asked for. */
  async #problemOf(topic: Destination): Promise<string | undefined> {
    const resource = this.#path(topic);
    const seen = await this.#ask((client) => client.getTopic({ topic: resource }, this.#options()));
    if (isStatusError(seen) && seen.code === STATUS.notFound) return missingTopic(topic);
    // Its declared type is that of the generated class.
    const request = { resource, permissions: [PUBLISH], toJSON: () => ({}) };
    const tested = await this.#ask((client) => client.testIamPermissions(request, this.#options()));
    if (!isStatusError(tested)) return tested[0].permissions.includes(PUBLISH) ? undefined : forbiddenTopic(topic);
    // An emulator has no permissions that could be asked for.
    const problem = tested.code === STATUS.unimplemented ? seen : tested;
    return isStatusError(problem) ? verdictOf(topic, problem).detail : undefined;
  }

  /**
   * The answer to one request, which may be an error. Throws ConnectionLost when there is none: the channel is not ready
   * any more, the credentials are refused (the next connect reads them anew), or nothing at all was answered in the time
   * that a request has, which is how a dead connection looks.
   */
  async #ask<Result>(call: (client: PublisherClient) => Promise<Result>): Promise<Result | StatusError> {
    const client = this.#client;
    if (client === undefined) throw new ConnectionLost('not connected');
    const [began, answers] = [performance.now(), this.#answers];
    try {
      const result = await call(client);
      this.#answers++;
      return result;
    } catch (error) {
      const expired = performance.now() - began >= REQUEST_TIMEOUT_MS - EARLY_MS;
      const silence = expired && answers === this.#answers;
      const answered = isStatusError(error) && error.code !== STATUS.unauthenticated && !silence;
      if (!answered || !(await isReady(client))) {
        throw new ConnectionLost(`Pub/Sub: ${channelProblem(error)}`, { cause: error });
      }
      // What has only expired is no sign of life, or requests that expire in turn would hide that nothing is answered.
      if (!expired) this.#answers++;
      return error;
    }
  }

  #path(topic: Destination): string {
    return `projects/${this.#login.projectId}/topics/${topic}`;
  }

  /** The core retries. */
  #options() {
    return { timeout: REQUEST_TIMEOUT_MS, retry: { retryCodes: [] }, signal: this.#closing.signal };
  }
}
