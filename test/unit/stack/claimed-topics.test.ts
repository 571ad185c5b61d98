/** Whose a topic is, by the entries of Kafka's access control. Only Kafka itself is left out: its entries are in a list. */
import kafkajs, {
  type AclEntry,
  type AclFilter,
  type Admin,
  type DescribeAclResponse,
} from 'kafkajs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { AccessRights } from '../../../stack/topic-service/access-rights.ts';
import { ClaimedTopics } from '../../../stack/topic-service/claimed-topics.ts';
import type { KafkaAdmin } from '../../../stack/topic-service/kafka-admin.ts';
import { KafkaTopics } from '../../../stack/topic-service/kafka-topics.ts';

const {
  AclOperationTypes: operations,
  AclPermissionTypes: permissions,
  AclResourceTypes: resources,
  ResourcePatternTypes: patterns,
} = kafkajs;
const topic = 'sensors';
const me = { subject: '11111111-2222-4333-8444-555555555555', username: 'me@example.org' };
const other = { subject: '21111111-2222-4333-8444-555555555555', username: 'other@example.org' };

const entry = (principal: string, operation: keyof typeof operations): AclEntry => ({
  principal: `User:${principal}`,
  operation: operations[operation],
  permissionType: permissions.ALLOW,
  host: '*',
  resourceType: resources.TOPIC,
  resourceName: topic,
  resourcePatternType: patterns.LITERAL,
});
const full = (principal: string): AclEntry[] => [
  entry(principal, 'WRITE'),
  entry(principal, 'READ'),
  entry(principal, 'DESCRIBE'),
];

function matches(acl: AclEntry, filter: AclFilter): boolean {
  const { resourceName: name, resourcePatternType: pattern, principal } = filter;
  if (acl.resourceType !== filter.resourceType) return false;
  if (principal !== undefined && acl.principal !== principal) return false;
  if (pattern === patterns.MATCH && acl.resourcePatternType === patterns.PREFIXED) {
    return name?.startsWith(acl.resourceName) === true;
  }
  const isPattern = pattern === patterns.MATCH || pattern === acl.resourcePatternType;
  return isPattern && (name === undefined || name === acl.resourceName);
}

interface Service {
  readonly claimed: ClaimedTopics;
  readonly acls: AclEntry[];
  /** Kafka takes the next entries, and neither answers nor shows them until the answer is called. */
  loseNextAnswer(): () => void;
}

/** Kafka with these entries, and with topics that are all there. */
function service(...acls: AclEntry[]): Service {
  let unseen: AclEntry[] | null = null;
  const admin: Pick<Admin, 'createAcls' | 'describeAcls' | 'deleteAcls' | 'createTopics'> = {
    createAcls: async ({ acl }) => {
      if (unseen?.length !== 0) return acls.push(...acl) > 0;
      unseen.push(...acl);
      throw new Error('no answer');
    },
    createTopics: async () => false,
    describeAcls: async (filter): Promise<DescribeAclResponse> => {
      const found = acls.filter((acl) => matches(acl, filter));
      // As Kafka answers: by resource.
      const first = found.filter(
        ({ resourceName }, index) =>
          found.findIndex((one) => one.resourceName === resourceName) === index,
      );
      const ofResource = ({ resourceName }: AclEntry): AclEntry[] =>
        found.filter((one) => one.resourceName === resourceName);
      return {
        throttleTime: 0,
        errorCode: 0,
        resources: first.map((one) => ({ ...one, acls: ofResource(one) })),
      };
    },
    deleteAcls: async ({ filters }) => {
      const kept = acls.filter((acl) => !filters.some((filter) => matches(acl, filter)));
      acls.splice(0, acls.length, ...kept);
      return { throttleTime: 0, filterResponses: [] };
    },
  };
  const kafka: KafkaAdmin = { ask: (question) => question(admin as Admin), close: () => {} };
  const topics = new KafkaTopics(kafka, { partitions: 1, replication: 1, config: {} });
  const loseNextAnswer = (): (() => void) => {
    const lost: AclEntry[] = [];
    unseen = lost;
    return () => void acls.push(...lost.splice(0));
  };
  return { claimed: new ClaimedTopics(new AccessRights(kafka), topics), acls, loseNextAnswer };
}

describe('A topic', () => {
  const deny = { ...entry(me.username, 'WRITE'), permissionType: permissions.DENY };
  it.each([
    ['may only read it', [entry(me.username, 'READ')]],
    ['may write and describe it alone', full(me.username).filter((_, index) => index !== 1)],
    ['is denied something', [deny]],
    ['is denied something of all that was allowed', [...full(me.username), deny]],
    [
      'may do it all from one address',
      full(me.username).map((one) => ({ ...one, host: '10.0.0.1' })),
    ],
  ])('is not claimed or given up by somebody who %s', async (_, entries) => {
    const { claimed, acls } = service(...full(other.subject), ...entries);
    const before = [...acls];
    await expect(claimed.claim(topic, me)).rejects.toMatchObject({ code: 'TOPIC_CLAIMED' });
    expect(await claimed.giveUp(topic, me)).toBe('no-op');
    expect(await claimed.of(me)).toEqual([]);
    expect(acls).toEqual(before);
  });

  it.each([
    ['by each right', full(me.username)],
    ['by one that is all', [entry(me.username, 'ALL')]],
  ])('is of somebody who owns it %s, who completes it by claiming it', async (_, entries) => {
    const { claimed } = service(...full(other.subject), ...entries);
    expect(await claimed.claim(topic, me)).toBe('success');
    expect(await claimed.claim(topic, me)).toBe('no-op');
    expect(await claimed.of(me)).toEqual([topic]);
    expect(await claimed.giveUp(topic, me)).toBe('success');
    expect(await claimed.of(me)).toEqual([]);
    expect(await claimed.of(other)).toEqual([topic]);
  });

  it("stays an administrator's gift where it is owned by a prefix", async () => {
    const gift = full(me.username).map((one) => ({
      ...one,
      resourceName: 'sen',
      resourcePatternType: patterns.PREFIXED,
    }));
    const { claimed, acls } = service(...gift);
    expect(await claimed.giveUp(topic, me)).toBe('no-op');
    await expect(claimed.claim(topic, other)).rejects.toMatchObject({ code: 'TOPIC_CLAIMED' });
    expect(acls).toEqual(gift);
  });

  it('whose owner was removed is got anew by the same, and is refused to others for a while', async () => {
    const { claimed, acls } = service();
    expect(await claimed.claim(topic, me)).toBe('success');
    expect(await claimed.claim(topic, me)).toBe('no-op');
    acls.length = 0;
    await expect(claimed.claim(topic, other)).rejects.toMatchObject({ code: 'TOPIC_CLAIMED' });
    expect(await claimed.claim(topic, me)).toBe('success');
    expect(await claimed.of(me)).toEqual([topic]);
    expect(await claimed.giveUp(topic, me)).toBe('success');
    expect(await claimed.claim(topic, other)).toBe('success');
  });

  it('is kept for whoever claimed it without an answer, until brokers may have learned of it', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { claimed, loseNextAnswer } = service();
    const seen = loseNextAnswer();
    await expect(claimed.claim(topic, me)).rejects.toThrow('no answer');
    vi.advanceTimersByTime(40_000);
    await expect(claimed.claim(topic, other)).rejects.toMatchObject({ code: 'TOPIC_CLAIMED' });
    seen();
    vi.advanceTimersByTime(40_000);
    await expect(claimed.claim(topic, other)).rejects.toMatchObject({ code: 'TOPIC_CLAIMED' });
    expect(await claimed.of(me)).toEqual([topic]);
    expect(await claimed.claim(topic, me)).toBe('no-op');
  });

  it('is free again where a claim without an answer has come to nothing', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { claimed, loseNextAnswer } = service();
    loseNextAnswer();
    await expect(claimed.claim(topic, me)).rejects.toThrow('no answer');
    vi.advanceTimersByTime(60_000);
    expect(await claimed.claim(topic, other)).toBe('success');
  });
});
