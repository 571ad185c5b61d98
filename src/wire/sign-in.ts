/** Signs in on a connection: SaslHandshake, then the messages of the mechanism in SaslAuthenticate. */
import { performance } from 'node:perf_hooks';
import { AuthenticationError } from '../errors.ts';
import { shownWords } from '../shown-words.ts';
import type { Api } from './api.ts';
import { addressText, type BrokerAddress } from './broker-address.ts';
import { brokerErrorInfo } from './error-table.ts';
import { type SaslAuthenticateReply, saslAuthenticate } from './requests/sasl-authenticate.ts';
import { saslHandshake } from './requests/sasl-handshake.ts';
import { ScramError, ScramExchange, type ScramMechanism } from './scram.ts';

/** What each message of a sign-in gets at least, in milliseconds, however long this process was held up before it. */
const leastMs = 1_000;

/** How to sign in. Token or account are asked for at each sign-in; that may take its time or reject: neither hurts a session that still runs. */
export type SignIn =
  | (SignInCommon & {
      readonly mechanism: 'OAUTHBEARER';
      /** `expiresAt` in milliseconds since the epoch. */
      token(): Promise<{ value: string; expiresAt: number }>;
    })
  | (SignInCommon & {
      readonly mechanism: 'PLAIN' | ScramMechanism;
      account(): Promise<{ username: string; password: string }>;
    });

interface SignInCommon {
  /** The broker refused this token or password: the next one should be another, where there is any. */
  refused(secret: string): void;
  /** A sentence for where the broker refuses: what to do. */
  readonly remedy: string;
}

/** What one sign-in shows to the broker. */
export type Credentials =
  | { readonly mechanism: 'OAUTHBEARER'; readonly token: string; readonly remedy: string }
  | {
      readonly mechanism: 'PLAIN' | ScramMechanism;
      readonly username: string;
      readonly password: string;
      readonly remedy: string;
    };

/** The broker does not take what it was shown. Another token or password may do. */
export class CredentialsRefused extends AuthenticationError {}

/** Token or password. */
export function secretOf(credentials: Credentials): string {
  return credentials.mechanism === 'OAUTHBEARER' ? credentials.token : credentials.password;
}

/** What a sign-in needs of a connection. */
export interface SignInConnection {
  readonly broker: BrokerAddress;
  request<Body, Reply>(
    api: Api<Body, Reply>,
    body: Body,
    options: { timeoutMs: number; urgent: true },
  ): Promise<Reply>;
}

/** How long a session lasts: until `performance.now()` reaches `startedAt + lifetimeMs`. */
export interface SessionLife {
  readonly startedAt: number;
  /** Milliseconds; null where the broker sets no end. */
  readonly lifetimeMs: number | null;
}

/**
 * Signs in within about `timeoutMs` milliseconds. Throws `CredentialsRefused` where the broker refuses them
 * (`TOKEN_REFUSED_BY_BROKER` for a token, else `SIGN_IN_REFUSED`), another `AuthenticationError` where it refuses the
 * mechanism, and `ConnectionError`.
 */
export async function signIn(
  connection: SignInConnection,
  credentials: Credentials,
  timeoutMs: number,
): Promise<SessionLife> {
  const { broker } = connection;
  const deadline = performance.now() + timeoutMs;
  const ask = <Body, Reply>(api: Api<Body, Reply>, body: Body): Promise<Reply> => {
    const least = Math.min(leastMs, timeoutMs);
    const left = Math.max(least, Math.ceil(deadline - performance.now()));
    return connection.request(api, body, { timeoutMs: left, urgent: true });
  };

  const { mechanism } = credentials;
  const handshake = await ask(saslHandshake, { mechanism });
  if (handshake.errorCode !== 0) {
    const { code } = brokerErrorInfo(handshake.errorCode);
    const offered = handshake.mechanisms.join(', ') || 'none';
    throw new AuthenticationError(
      'SIGN_IN_REFUSED',
      `Broker ${addressText(broker)} does not take ${mechanism} (${code}); it offers: ${offered}. Set auth to one of these, or use the port that takes ${mechanism}.`,
      false,
    );
  }

  let startedAt = performance.now();
  const exchange = async (message: string): Promise<SaslAuthenticateReply> => {
    // The broker counts from its own end of the exchange: counting from before it errs on the safe side.
    startedAt = performance.now();
    const reply = await ask(saslAuthenticate, { authBytes: Buffer.from(message, 'utf8') });
    if (reply.errorCode !== 0) {
      throw refused(
        broker,
        credentials,
        reply.errorMessage ?? brokerErrorInfo(reply.errorCode).code,
      );
    }
    return reply;
  };
  const { sessionLifetimeMs } = await converse(broker, credentials, exchange);
  return { startedAt, lifetimeMs: sessionLifetimeMs > 0n ? Number(sessionLifetimeMs) : null };
}

async function converse(
  broker: BrokerAddress,
  credentials: Credentials,
  exchange: (message: string) => Promise<SaslAuthenticateReply>,
): Promise<SaslAuthenticateReply> {
  switch (credentials.mechanism) {
    case 'OAUTHBEARER': {
      // RFC 7628, section 3.1.
      const reply = await exchange(`n,,\x01auth=Bearer ${credentials.token}\x01\x01`);
      if (reply.authBytes.length === 0) return reply;
      // A refusal comes as a challenge, to be answered so that the broker may end the exchange (section 3.2.2).
      const challenge = reply.authBytes.toString('utf8');
      await exchange('\x01');
      throw refused(broker, credentials, challenge);
    }
    case 'PLAIN':
      // RFC 4616.
      return exchange(`\0${credentials.username}\0${credentials.password}`);
    default: {
      const scram = new ScramExchange(credentials.mechanism, credentials);
      try {
        const challenge = await exchange(scram.first());
        const reply = await exchange(await scram.final(challenge.authBytes.toString('utf8')));
        scram.verify(reply.authBytes.toString('utf8'));
        return reply;
      } catch (error) {
        if (error instanceof ScramError) throw refused(broker, credentials, error.message);
        throw error;
      }
    }
  }
}

function refused(
  broker: BrokerAddress,
  credentials: Credentials,
  said: string,
): CredentialsRefused {
  const name = addressText(broker);
  const { mechanism, remedy } = credentials;
  const why = shownWords(said, [secretOf(credentials)]);
  const [code, what] =
    mechanism === 'OAUTHBEARER'
      ? ['TOKEN_REFUSED_BY_BROKER', 'the access token']
      : ['SIGN_IN_REFUSED', `${mechanism} sign-in of user ${JSON.stringify(credentials.username)}`];
  return new CredentialsRefused(code, `Broker ${name} refused ${what}: ${why}. ${remedy}`, false);
}
