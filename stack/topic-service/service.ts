/** The topic service: everything put together, and listening. */
import { announceSecret } from '../secrets.ts';
import { AccessRights } from './access-rights.ts';
import { Callers } from './callers.ts';
import { addClaimPage, showOnPage } from './claim-page.ts';
import { ClaimedTopics } from './claimed-topics.ts';
import type { IntrospectionSettings } from './globus-introspection.ts';
import { GlobusTokens } from './globus-tokens.ts';
import { addIntrospectionRoute } from './introspection-route.ts';
import type { KafkaAccess } from './kafka-access.ts';
import { kafkaAdmin } from './kafka-admin.ts';
import { KafkaTopics, type NewTopics } from './kafka-topics.ts';
import { noteMethods } from './methods.ts';
import { Namespaces } from './namespaces.ts';
import type { ServiceParts } from './parts.ts';
import { scramUsers } from './scram-users.ts';
import { createServer } from './server.ts';
import { ServiceKeys } from './service-keys.ts';
import { addSwitches } from './switches.ts';
import { addV1Routes } from './v1-routes.ts';
import { addV3Routes } from './v3-routes.ts';

export interface TopicServiceSettings {
  readonly host: string;
  readonly port: number;
  /** Where brokers introspect tokens: a listener of its own, so that nobody else can keep them from it. */
  readonly introspectionPort: number;
  /** Where people reach the service, without a slash at the end. */
  readonly url: string;
  readonly issuer: string;
  readonly introspection: IntrospectionSettings;
  readonly kafka: KafkaAccess;
  readonly newTopics: NewTopics;
  /** What secrets of keys are derived from: with another, earlier keys end. */
  readonly serviceSecret: string;
  /** AWS region that keys are for. */
  readonly region: string;
  /** Where clients sign in with OAUTHBEARER and with SCRAM: `host:port`, several by comma. */
  readonly endpoint: string;
  readonly scramEndpoint: string;
  /** Age from which on keys are active, in milliseconds. */
  readonly keyDelayMs: number;
  /** Whether anybody who reaches the service may change its switches: for tests alone. */
  readonly switches: boolean;
  /** Told of faults, and of nothing secret. */
  readonly log: (line: string) => void;
}

export interface RunningTopicService {
  /** Ends it; claims that have begun are completed, and keys that wait are put into Kafka first. */
  stop(): Promise<void>;
}

/** Requests that are worked on at the same time, and connections: each of these costs a descriptor and some kilobytes. */
const forPeople = { atOnce: 2_000, connections: 4_000 };
const forBrokers = { atOnce: 500, connections: 1_000 };

/** For how long a stop waits for Kafka to take the keys that wait and the claims that have begun, in milliseconds. */
const flushMs = 5_000;

/** Answers when the service listens. Kafka may still be starting: requests that need it are refused until then. */
export async function startTopicService(
  settings: TopicServiceSettings,
): Promise<RunningTopicService> {
  const { url, serviceSecret, log } = settings;
  announceSecret({ kind: "the topic service's secret", value: serviceSecret });
  const kafka = kafkaAdmin(settings.kafka);
  const users = scramUsers(settings.kafka);
  const rights = new AccessRights(kafka);
  const topics = new KafkaTopics(kafka, settings.newTopics);
  const keys = new ServiceKeys({ users, serviceSecret, keyDelayMs: settings.keyDelayMs });
  const claimed = new ClaimedTopics(rights, topics);
  const parts: ServiceParts = {
    ...settings,
    callers: new Callers(new GlobusTokens(settings.introspection)),
    rights,
    claimed,
    namespaces: new Namespaces(rights, topics),
    keys,
  };
  const app = await createServer({ url, log, showRefusal: showOnPage, ...forPeople });
  if (settings.switches) addSwitches(app, keys);
  const refuseOtherMethods = noteMethods(app);
  addV1Routes(app, parts);
  addV3Routes(app, parts);
  await addClaimPage(app, parts);
  refuseOtherMethods();
  const ofBrokers = await createServer({ url, log, showRefusal: () => false, ...forBrokers });
  const refuseOthersOfBrokers = noteMethods(ofBrokers);
  addIntrospectionRoute(ofBrokers, parts);
  refuseOthersOfBrokers();
  const close = async (): Promise<void> => {
    await Promise.all([app.close(), ofBrokers.close()]);
  };
  const { host, port, introspectionPort } = settings;
  try {
    await app.listen({ host, port });
    await ofBrokers.listen({ host, port: introspectionPort });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async stop() {
      await close();
      const flushed = keys
        .flush()
        .catch((error: unknown) => log(`Keys that waited are lost: ${String(error)}`));
      await Promise.race([
        Promise.all([claimed.close(), flushed]),
        new Promise((resolve) => setTimeout(resolve, flushMs).unref()),
      ]);
      users.close();
      kafka.close();
    },
  };
}
