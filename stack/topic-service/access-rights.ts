/** Kafka's access control entries, as the service writes and reads them. */
import kafkajs, { type AclEntry, type Admin, type DescribeAclResponse } from 'kafkajs';
import { type KafkaAdmin, NotSeen } from './kafka-admin.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;

/** Who has rights to topics, as Kafka names them: `User:name`. */
export interface Holders {
  /** Whoever has any right, or is denied one. */
  readonly all: ReadonlySet<string>;
  /** Whoever may write, read and describe, unless a denial undoes it. */
  readonly allowed: ReadonlySet<string>;
  /** Whoever is allowed all of that, and denied nothing. */
  readonly owners: ReadonlySet<string>;
}

/** Topics: one, or all whose names begin like this. */
export type TopicPattern = { readonly topic: string } | { readonly topicPrefix: string };

type DescribeAclResource = DescribeAclResponse['resources'][number];

const pollMs = 20;
/** For how long a change may stay unseen at the broker that is asked, in milliseconds. */
const seenMs = 10_000;

function resourceOf(
  pattern: TopicPattern,
): Pick<AclEntry, 'resourceType' | 'resourceName' | 'resourcePatternType'> {
  return {
    resourceType: AclResourceTypes.TOPIC,
    ...('topic' in pattern
      ? { resourceName: pattern.topic, resourcePatternType: ResourcePatternTypes.LITERAL }
      : { resourceName: pattern.topicPrefix, resourcePatternType: ResourcePatternTypes.PREFIXED }),
  };
}

const allowed = { host: '*', permissionType: AclPermissionTypes.ALLOW };
const anything = { operation: AclOperationTypes.ANY, permissionType: AclPermissionTypes.ANY };

/** Writes, reads and describes the topics. */
function topicEntries(principal: string, pattern: TopicPattern): AclEntry[] {
  const { WRITE, READ, DESCRIBE } = AclOperationTypes;
  return [WRITE, READ, DESCRIBE].map((operation) => ({
    ...resourceOf(pattern),
    ...allowed,
    principal,
    operation,
  }));
}

/** Reads in every group, and writes idempotently: what every client needs besides its topics. */
function clientEntries(principal: string): AclEntry[] {
  const literal = { ...allowed, principal, resourcePatternType: ResourcePatternTypes.LITERAL };
  return [
    {
      ...literal,
      resourceType: AclResourceTypes.GROUP,
      resourceName: '*',
      operation: AclOperationTypes.READ,
    },
    {
      ...literal,
      resourceType: AclResourceTypes.CLUSTER,
      resourceName: 'kafka-cluster',
      operation: AclOperationTypes.IDEMPOTENT_WRITE,
    },
  ];
}

export class AccessRights {
  readonly #kafka: KafkaAdmin;

  constructor(kafka: KafkaAdmin) {
    this.#kafka = kafka;
  }

  /** Who has rights to exactly this topic or prefix. */
  async holders(pattern: TopicPattern): Promise<Holders> {
    return this.#kafka.ask((admin) => holdersOf(admin, pattern));
  }

  /** Who has rights to the topic by its name or by a prefix of it. Rights to every topic make nobody its owner. */
  async matching(topic: string): Promise<Holders> {
    const { resources } = await this.#kafka.ask((admin) =>
      admin.describeAcls({
        resourceType: AclResourceTypes.TOPIC,
        resourceName: topic,
        resourcePatternType: ResourcePatternTypes.MATCH,
        ...anything,
      }),
    );
    return holdersIn(resources.filter(({ resourceName }) => resourceName !== '*'));
  }

  /** Names of topics that the principal owns by their own names. */
  async topicsOf(principal: string): Promise<string[]> {
    const { resources } = await this.#kafka.ask((admin) =>
      admin.describeAcls({
        resourceType: AclResourceTypes.TOPIC,
        resourcePatternType: ResourcePatternTypes.LITERAL,
        principal,
        ...anything,
      }),
    );
    return resources
      .filter((resource) => holdersIn([resource]).owners.has(principal))
      .map(({ resourceName }) => resourceName);
  }

  /** Answers when a broker has seen it. */
  async grant(principals: readonly string[], pattern: TopicPattern): Promise<void> {
    const acl = principals.flatMap((one) => [...topicEntries(one, pattern), ...clientEntries(one)]);
    await this.#kafka.ask(async (admin) => {
      await admin.createAcls({ acl });
      await seen(admin, pattern, ({ allowed }) => principals.every((one) => allowed.has(one)));
    });
  }

  /** What a client needs who has no topic yet. */
  async grantClient(principals: readonly string[]): Promise<void> {
    const acl = principals.flatMap(clientEntries);
    await this.#kafka.ask((admin) => admin.createAcls({ acl }));
  }

  /** Lets everybody write to and read from one topic, who can sign in at all. */
  async grantEverybody(topic: string): Promise<void> {
    const acl = topicEntries('User:*', { topic });
    await this.#kafka.ask((admin) => admin.createAcls({ acl }));
  }

  /** Answers when a broker has seen it. */
  async revoke(principals: readonly string[], pattern: TopicPattern): Promise<void> {
    const filters = principals.map((principal) => ({
      ...resourceOf(pattern),
      principal,
      ...anything,
    }));
    await this.#kafka.ask(async (admin) => {
      await admin.deleteAcls({ filters });
      await seen(admin, pattern, ({ all }) => !principals.some((one) => all.has(one)));
    });
  }
}

async function holdersOf(admin: Admin, pattern: TopicPattern): Promise<Holders> {
  const { resources } = await admin.describeAcls({ ...resourceOf(pattern), ...anything });
  return holdersIn(resources);
}

/** Where only one address has a right, that is no right to own the topic by; denied to one address is denied. */
function holdersIn(resources: readonly Pick<DescribeAclResource, 'acls'>[]): Holders {
  const acls = resources.flatMap((resource) => resource.acls);
  const all = new Set(acls.map(({ principal }) => principal));
  const isAllowed = (name: string): boolean => {
    const operations = acls
      .filter(({ principal, permissionType, host }) => {
        return principal === name && permissionType === AclPermissionTypes.ALLOW && host === '*';
      })
      .map(({ operation }) => operation);
    const needed = [AclOperationTypes.WRITE, AclOperationTypes.READ, AclOperationTypes.DESCRIBE];
    return (
      operations.includes(AclOperationTypes.ALL) ||
      needed.every((operation) => operations.includes(operation))
    );
  };
  const allowed = new Set([...all].filter(isAllowed));
  const denied = new Set(
    acls
      .filter(({ permissionType }) => permissionType === AclPermissionTypes.DENY)
      .map(({ principal }) => principal),
  );
  return { all, allowed, owners: new Set([...allowed].filter((name) => !denied.has(name))) };
}

async function seen(
  admin: Admin,
  pattern: TopicPattern,
  isRight: (holders: Holders) => boolean,
): Promise<void> {
  const until = performance.now() + seenMs;
  while (!isRight(await holdersOf(admin, pattern))) {
    if (performance.now() > until) throw new NotSeen('new rights');
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
