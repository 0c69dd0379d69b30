import { randomUUID } from 'node:crypto';
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, type Admin, ResourcePatternTypes } from 'kafkajs';

/** Makes the topics of a test, and rules for the user of an adapter. */
export class KafkaTopics {
  readonly #admin: Admin;
  readonly #username: string;
  readonly #names: string[] = [];

  constructor(admin: Admin, username = 'nobody') {
    this.#admin = admin;
    this.#username = username;
  }

  async create(config: Readonly<Record<string, string>> = {}, partitions = 3): Promise<string> {
    const topic = `contract-${randomUUID()}`;
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    await this.#admin.createTopics({
      topics: [{ topic, numPartitions: partitions, configEntries }],
      waitForLeaders: false,
    });
    this.#names.push(topic);
    await this.haveLeaders();
    return topic;
  }

  /** One rule for a topic hides it from all operations that no rule allows. */
  async createFor(
    rules: Partial<Record<keyof typeof AclOperationTypes, boolean>>,
    config?: Readonly<Record<string, string>>,
  ): Promise<string> {
    const topic = await this.create(config);
    const acl = Object.entries(rules).map(([operation, allowed]) => ({
      resourceType: AclResourceTypes.TOPIC,
      resourceName: topic,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: `User:${this.#username}`,
      host: '*',
      operation: AclOperationTypes[operation as keyof typeof AclOperationTypes],
      permissionType: allowed ? AclPermissionTypes.ALLOW : AclPermissionTypes.DENY,
    }));
    await this.#admin.createAcls({ acl });
    return topic;
  }

  /** New topics, and all of them after a restart, are unknown or without a leader for a moment. */
  async haveLeaders(): Promise<void> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      try {
        await this.#admin.fetchTopicMetadata({ topics: this.#names });
        // The leader that the metadata names may not know of it yet: only its own answer is proof.
        for (const name of this.#names) await this.#admin.fetchTopicOffsets(name);
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }
}
