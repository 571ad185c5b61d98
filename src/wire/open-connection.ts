/** From an address to a connection that is ready for requests: TCP, TLS, versions, sign-in. */
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Diagnostics } from '../diagnostics.ts';
import { ConnectionError } from '../errors.ts';
import type { BrokerAddress } from './broker-address.ts';
import { connectionError, givenUp } from './connect-failure.ts';
import { Connection, type ReportConnection } from './connection.ts';
import { credentialsFor } from './credentials.ts';
import { openSocket, protection } from './open-socket.ts';
import type { OpenSockets } from './open-sockets.ts';
import { Session } from './session.ts';
import { type Credentials, CredentialsRefused, type SignIn, secretOf, signIn } from './sign-in.ts';

export interface OpenConnectionOptions {
  readonly broker: BrokerAddress;
  readonly clientId: string;
  readonly tls: TlsOptions | null;
  readonly signIn: SignIn | null;
  /** Deadline of each of token, TCP, TLS, versions and sign-in, in milliseconds. */
  readonly timeoutMs: number;
  readonly sockets: OpenSockets;
  readonly signal: AbortSignal;
  /** For what happens to the connection once it is ready; what happens before is thrown. */
  readonly report: ReportConnection;
  /** For what happens before and is not thrown as it is: a token source that fails. */
  readonly announce: Diagnostics['emit'];
}

/** A connection that is ready, and how it is protected, for messages. */
export interface Opened {
  readonly connection: Connection;
  readonly protection: string;
}

/**
 * Throws `ConnectionError` and `AuthenticationError`. A refused token or password is tried once more with another
 * one, on a new connection, since brokers close the one that failed.
 */
export async function openConnection(options: OpenConnectionOptions): Promise<Opened> {
  const { broker, signIn: how, timeoutMs, signal, announce } = options;
  const aborted = (): Error => connectionError(givenUp(broker), false);
  const tokenOptions = { timeoutMs, signal, aborted, report: announce };
  if (how === null) return openWith(options, null);
  // Token or password first: a slow source must not leave sockets waiting.
  const credentials = await credentialsFor(how, tokenOptions);
  try {
    return await openWith(options, credentials);
  } catch (error) {
    if (!(error instanceof CredentialsRefused)) throw error;
    const other = await credentialsFor(how, tokenOptions);
    if (secretOf(other) === secretOf(credentials)) throw error;
    return openWith(options, other);
  }
}

async function openWith(
  options: OpenConnectionOptions,
  credentials: Credentials | null,
): Promise<Opened> {
  const { broker, clientId, tls, signIn: how, timeoutMs, signal, report } = options;
  const socket = await openSocket(options);
  const connection = new Connection({
    socket,
    broker,
    clientId,
    encrypted: tls !== null,
    signsIn: how !== null,
    report,
  });
  const onAbort = (): void => connection.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) throw connectionError(givenUp(broker), false);
    await connection.negotiate(timeoutMs);
    if (how !== null && credentials !== null) {
      const life = await signIn(connection, credentials, timeoutMs);
      const session = new Session({ connection, signIn: how, timeoutMs, report });
      session.begin(life);
    }
    return { connection, protection: protection(socket) };
  } catch (error) {
    connection.destroy();
    if (error instanceof CredentialsRefused && credentials !== null) {
      how?.refused(secretOf(credentials));
    }
    throw unsent(error);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** What was sent so far were the connection's own requests: the caller's was not among them. */
function unsent(error: unknown): unknown {
  if (!(error instanceof ConnectionError) || !error.sent) return error;
  return new ConnectionError(error.code, error.message, false, { cause: error.cause });
}
