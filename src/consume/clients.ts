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
  /**
   * For one membership, or one look-up: kafkajs takes a password when its client is made, and only the service key may say
   * where the brokers are. Rejects with `AuthenticationError`, which has been said.
   */
  ready(): Promise<NewClient>;
  /** The brokers refused what was shown last. kafkajs does not say which of its connections that was. */
  refused(): void;
  close(): void;
}

/** Throws `ConfigurationError`. */
export function openClients(options: ResolvedConnection, diagnostics: Diagnostics): Clients {
  const access = openBrokerAccess(options, diagnostics);
  const unchecked = uncheckedTls(options.tls);
  if (unchecked) diagnostics.emit(unchecked.code, unchecked.message);
  let shown: string | null = null;
  const show = (secret: string): string => {
    shown = secret;
    return secret;
  };
  return {
    remedy: access.signIn?.remedy ?? 'Check auth.',
    async ready() {
      const bootstrapBrokers = await access.bootstrapBrokers();
      const signIn = access.signIn && (await clientSignIn(access.signIn, show));
      return (events) => createClient({ ...options, bootstrapBrokers }, signIn, events);
    },
    refused() {
      if (shown !== null) access.signIn?.refused(shown);
    },
    close: () => access.close(),
  };
}

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
