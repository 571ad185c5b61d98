/** Makes kafkajs's clients, each with brokers and credentials as they are known when it is made. */
import { uncheckedTls } from '../broker-faults.ts';
import type { Diagnostics } from '../diagnostics.ts';
import type { ResolvedConnection } from '../options.ts';
import { type BrokerSignIn, openBrokerAccess } from '../services/broker-sign-in.ts';
import {
  type Client,
  type ClientEvents,
  type ClientSignIn,
  createClient,
} from './kafkajs-client.ts';

export type NewClient = (events?: ClientEvents) => Client;

export interface Clients {
  /** What to do where the brokers refuse the sign-in: a sentence. */
  readonly remedy: string;
  /** Tokens or passwords that the brokers were shown last, in case they repeat one. */
  readonly secrets: readonly string[];
  /**
   * For one membership, or one look-up: kafkajs takes a password when its client is made, and only the service key may say
   * where the brokers are. Rejects with `AuthenticationError`, which has been said.
   */
  ready(): Promise<NewClient>;
  /** The brokers refused what was shown last. kafkajs does not say which of its connections that was. */
  refused(): void;
  /** After that: whether there is anything else to show them. Rejects with `AuthenticationError`. */
  hasAnother(): Promise<boolean>;
  close(): void;
}

/** Of so many secrets that were shown one after the other, none is repeated. */
const keptSecrets = 3;

/** Throws `ConfigurationError`. */
export function openClients(options: ResolvedConnection, diagnostics: Diagnostics): Clients {
  const access = openBrokerAccess(options, diagnostics);
  const unchecked = uncheckedTls(options.tls);
  if (unchecked) diagnostics.emit(unchecked.code, unchecked.message);
  /** The last first. Connections that were made one after the other may show a token and what replaced it. */
  let shown: readonly string[] = [];
  const show = (secret: string): string => {
    shown = [secret, ...shown.filter((other) => other !== secret)].slice(0, keptSecrets);
    return secret;
  };
  return {
    remedy: access.signIn?.remedy ?? 'Check auth.',
    get secrets() {
      return shown;
    },
    async ready() {
      const bootstrapBrokers = await access.bootstrapBrokers();
      const signIn = access.signIn && (await clientSignIn(access.signIn, show));
      return (events) => {
        const client = createClient({ ...options, bootstrapBrokers }, signIn, events);
        return tellingOf(client, () => access.answered());
      };
    },
    refused() {
      const [last] = shown;
      if (last !== undefined) access.signIn?.refused(last);
    },
    async hasAnother() {
      const [last] = shown;
      return access.signIn !== null && (await secretOf(access.signIn)) !== last;
    },
    close: () => access.close(),
  };
}

/** The client, which also tells of each connection that it has made and signed in: by kafkajs's own events of that. */
function tellingOf({ kafka, ...client }: Client, onConnected: () => void): Client {
  return {
    ...client,
    kafka: {
      producer: (config) => kafka.producer(config),
      consumer(config) {
        const consumer = kafka.consumer(config);
        consumer.on('consumer.connect', onConnected);
        return consumer;
      },
      admin(config) {
        const admin = kafka.admin(config);
        admin.on('admin.connect', onConnected);
        return admin;
      },
      logger: () => kafka.logger(),
    },
  };
}

const secretOf = async (signIn: BrokerSignIn): Promise<string> =>
  signIn.mechanism === 'OAUTHBEARER'
    ? (await signIn.token()).value
    : (await signIn.account()).password;

async function clientSignIn(
  signIn: BrokerSignIn,
  show: (secret: string) => string,
): Promise<ClientSignIn> {
  if (signIn.mechanism === 'OAUTHBEARER') {
    return {
      mechanism: 'OAUTHBEARER',
      token: async () => show((await signIn.token()).value),
    };
  }
  const { username, password } = await signIn.account();
  return { mechanism: signIn.mechanism, username, password: show(password) };
}
