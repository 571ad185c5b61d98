/** All checks, in the order in which a connection is made: each stands on those before it. */
import { Diagnostics } from '../../diagnostics.ts';
import { openCluster } from '../../produce/connect.ts';
import { openBrokerAccess } from '../../services/broker-sign-in.ts';
import { optionsFrom } from '../connection-flags.ts';
import { examineClock } from './clock.ts';
import { type Asked, type Configuration, examineNode, examineOptions } from './configuration.ts';
import { examineEnvironment } from './environment.ts';
import { type Examination, type Finding, type Step, skipped } from './examination.ts';
import { examineNames, examineTcp } from './reach.ts';
import { examineRoundTrip, type RoundTrip } from './round-trip.ts';
import { examineKey, examineService, unlessKeyStored } from './service.ts';
import { examineBrokers, examineSignIn } from './sign-in.ts';
import { examineTls } from './tls.ts';
import { examineStore, examineToken } from './token.ts';
import {
  examineIdempotence,
  examineReading,
  examineTopic,
  examineWriting,
  isTopicDenied,
  type KnownTopic,
} from './topic.ts';

const here = { waitsFor: 'this machine', timeoutMs: 5_000 } as const;
const globus = { waitsFor: 'Globus Auth', timeoutMs: 20_000 } as const;
const brokers = { waitsFor: 'the brokers', timeoutMs: 15_000 } as const;

/** Never rejects. */
export async function examineAll(examination: Examination, asked: Asked): Promise<void> {
  const { env } = asked;
  await examination.check({ id: 'node', title: 'Node.js', needs: [], ...here }, () =>
    examineNode(),
  );
  await examination.check({ id: 'environment', title: 'Environment', needs: [], ...here }, () =>
    examineEnvironment(env),
  );
  const configuration = await examination.check(
    { id: 'options', title: 'Options', needs: [], ...here },
    () => examineOptions(asked),
  );
  await examination.check(
    { id: 'store', title: 'Token store', needs: [configuration], ...here },
    ([{ options }]) => examineStore(options, env),
  );
  const token = await examination.check(
    { id: 'token', title: 'Credentials', needs: [configuration], ...globus },
    ([{ options }]) => {
      const examine = (): Promise<Finding<true>> => examineToken(options, env);
      if (options.auth.type !== 'diaspora') return examine();
      return unlessKeyStored(options.auth, env, { ...globus, examine });
    },
  );
  const key = await examineServiceAndKey(examination, configuration, env);
  const trip = await examineCluster(examination, asked, { configuration, token, key });
  await examination.check(
    { id: 'clock', title: 'Clock', needs: [configuration], ...globus },
    ([{ options }]) => examineClock(options, trip, env),
  );
}

/** Where the service is not asked for anything, nothing is said of it. */
async function examineServiceAndKey(
  examination: Examination,
  configuration: Step<Configuration>,
  env: NodeJS.ProcessEnv,
): Promise<Step<true>> {
  const auth = configuration.value?.options.auth;
  if (auth?.type !== 'diaspora') return { title: '', value: true };
  const service = { waitsFor: `the service at ${auth.serviceUrl}`, timeoutMs: 15_000 };
  await examination.check({ id: 'service', title: 'Service', needs: [], ...service }, () =>
    unlessKeyStored(auth, env, { ...service, examine: () => examineService(auth, env) }),
  );
  return examination.check({ id: 'key', title: 'Service key', needs: [], ...here }, () =>
    examineKey(auth, env, {
      areBrokersNamed: configuration.value?.options.bootstrapBrokers.length !== 0,
    }),
  );
}

interface Found {
  readonly configuration: Step<Configuration>;
  readonly token: Step<true>;
  readonly key: Step<true>;
}

/** Answers what the record of the round trip has learnt. */
async function examineCluster(
  examination: Examination,
  asked: Asked,
  { configuration, token, key }: Found,
): Promise<RoundTrip | null> {
  const silent = new Diagnostics();
  const opened = configuration.value && {
    access: openBrokerAccess(configuration.value.options, silent),
    connection: openCluster(configuration.value.options, silent),
  };
  const tools = { title: configuration.title, value: opened };
  try {
    const names = await examination.check(
      {
        id: 'names',
        title: 'Names',
        needs: [tools, key],
        ...brokers,
        waitsFor: 'the name service',
      },
      async ([{ access }]) => examineNames(await access.bootstrapBrokers()),
    );
    const tcp = await examination.check(
      { id: 'tcp', title: 'TCP', needs: [names], ...brokers },
      ([resolved], signal) => examineTcp(resolved, signal),
    );
    const tls = await examination.check(
      { id: 'tls', title: 'TLS', needs: [tcp, configuration], ...brokers },
      ([reached, { options }], signal) => examineTls(reached, options.tls, signal),
    );
    const signIn = await examination.check(
      { id: 'sign-in', title: 'Sign-in', needs: [tls, token, tools, configuration], ...brokers },
      ([secured, , { access }, { options }], signal) =>
        examineSignIn(secured, { access, options, signal }),
    );
    await examination.check(
      { id: 'brokers', title: 'Brokers', needs: [signIn, tools, configuration], ...brokers },
      ([known, { connection, access }, { options }], signal) =>
        examineBrokers(connection.cluster, known, { access, options, signal }),
    );
    return await examineTopicUse(examination, asked, { configuration, signIn, tools });
  } finally {
    opened?.access.close();
    await opened?.connection.close();
  }
}

interface Connected {
  readonly configuration: Step<Configuration>;
  readonly signIn: Step<unknown>;
  readonly tools: Step<{ readonly connection: ReturnType<typeof openCluster> }>;
}

async function examineTopicUse(
  examination: Examination,
  { flags }: Asked,
  { configuration, signIn, tools }: Connected,
): Promise<RoundTrip | null> {
  const topic = await examination.check<
    [unknown, { connection: ReturnType<typeof openCluster> }, Configuration],
    KnownTopic
  >(
    { id: 'topic', title: 'Topic', needs: [signIn, tools, configuration], ...brokers },
    async ([, { connection }, { topic: name }]): Promise<Finding<KnownTopic>> =>
      name === null ? noTopic : examineTopic(connection.cluster, name),
  );
  const write = await examination.check(
    { id: 'write', title: 'Right to write', needs: [topic, tools], ...brokers },
    ([known, { connection }]) => examineWriting(connection.cluster, known),
  );
  /** Whether nothing is known that speaks against it: the round trip finds out then. */
  let mayRead = true;
  await examination.check(
    { id: 'read', title: 'Right to read', needs: [topic, tools], ...brokers },
    ([known, { connection }]) =>
      examineReading(connection.cluster, known).catch((error: unknown) => {
        if (isTopicDenied(error)) mayRead = false;
        throw error;
      }),
  );
  await examination.check(
    { id: 'idempotence', title: 'Idempotent writes', needs: [topic, write, tools], ...brokers },
    ([, , { connection }], signal) => examineIdempotence(connection.cluster, signal),
  );
  const { value: trip } = await examination.check<[KnownTopic, true], RoundTrip>(
    { id: 'round-trip', title: 'Round trip', needs: [topic, write], ...brokers, timeoutMs: 25_000 },
    async ([known], signal): Promise<Finding<RoundTrip>> => {
      if (!flags.write) return skipped('left out by --no-write: no record was written');
      const { connection } = optionsFrom(flags);
      return examineRoundTrip({
        connection,
        topic: known.topic,
        mayRead,
        writeTimeoutMs: 10_000,
        signal,
      });
    },
  );
  return trip;
}

const noTopic = skipped({
  text: 'none is named',
  advice: 'Name one: diaspora-logger doctor my-topic, or set DIASPORA_TOPIC.',
});
