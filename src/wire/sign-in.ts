/** Signs in on a connection: SaslHandshake, then the messages of the mechanism in SaslAuthenticate. */
import { performance } from 'node:perf_hooks';
import { AuthenticationError } from '../errors.ts';
import type { Api } from './api.ts';
import { addressText, type BrokerAddress } from './broker-address.ts';
import { brokerErrorInfo } from './error-table.ts';
import { type SaslAuthenticateReply, saslAuthenticate } from './requests/sasl-authenticate.ts';
import { saslHandshake } from './requests/sasl-handshake.ts';
import { ScramError, ScramExchange, type ScramMechanism } from './scram.ts';

/** What each message of a sign-in gets at least, in milliseconds, however long this process was held up before it. */
const leastMs = 1_000;

/** How to sign in. A token is asked for at each sign-in. */
export type SignIn =
  | {
      readonly mechanism: 'OAUTHBEARER';
      /** May take its time or reject: neither hurts a session that still runs. `expiresAt` in milliseconds since the epoch. */
      token(): Promise<{ value: string; expiresAt: number }>;
      /** The broker refused this token: the next one should be another. */
      refused(value: string): void;
    }
  | {
      readonly mechanism: 'PLAIN' | ScramMechanism;
      readonly username: string;
      readonly password: string;
    };

/** What one sign-in shows to the broker. */
export type Credentials =
  | { readonly mechanism: 'OAUTHBEARER'; readonly token: string }
  | Exclude<SignIn, { mechanism: 'OAUTHBEARER' }>;

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
 * Signs in within about `timeoutMs` milliseconds. Throws `AuthenticationError` where the broker refuses
 * (`TOKEN_REFUSED_BY_BROKER` for a token, else `SIGN_IN_REFUSED`), and `ConnectionError`.
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
    throw refusal(
      'SIGN_IN_REFUSED',
      `Broker ${addressText(broker)} does not take ${mechanism} (${code}); it offers: ${offered}. Set auth to one of these, or use the port that takes ${mechanism}.`,
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
): AuthenticationError {
  const name = addressText(broker);
  if (credentials.mechanism === 'OAUTHBEARER') {
    return refusal(
      'TOKEN_REFUSED_BY_BROKER',
      `Broker ${name} refused the access token: ${without(credentials.token, said)}. Check that the token is for this cluster, and that its identity may use it.`,
    );
  }
  return refusal(
    'SIGN_IN_REFUSED',
    `Broker ${name} refused ${credentials.mechanism} sign-in of user ${JSON.stringify(credentials.username)}: ${without(credentials.password, said)}. Check auth.username and auth.password.`,
  );
}

function refusal(code: string, message: string): AuthenticationError {
  return new AuthenticationError(code, message, false);
}

/** What a broker says, on one line, without the secret in case it repeats it. */
function without(secret: string, said: string): string {
  const clean = secret === '' ? said : said.replaceAll(secret, '(hidden)');
  return clean.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 500);
}
