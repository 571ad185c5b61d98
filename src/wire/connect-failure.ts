/** Tells apart why a broker cannot be reached, so that the operator reads what to do. */
import {
  type BrokerFault,
  isNotTls,
  socketFault,
  speaksPlainText,
  speaksTls,
  unreachable,
} from '../broker-faults.ts';
import { ConnectionError, systemErrorCode } from '../errors.ts';
import { addressText, type BrokerAddress } from './broker-address.ts';

/** What went wrong with a connection, before it is said of each request that it took with it. */
export interface Reason extends BrokerFault {
  readonly cause?: unknown;
  /** How long the broker was waited for, in milliseconds. Absent where it failed at once. */
  readonly waitedMs?: number;
}

/** How far a connection had come. */
export type Phase = 'connect' | 'tls' | 'open';

/** `sent`: whether the request may have reached the broker. */
export function connectionError(reason: Reason, sent: boolean): ConnectionError {
  const { code, message, cause } = reason;
  return new ConnectionError(code, message, sent, cause === undefined ? undefined : { cause });
}

/** Reads an error of a socket. `heard` is whether the broker had sent anything at all. */
export function socketFailure(
  error: unknown,
  at: { readonly broker: BrokerAddress; readonly phase: Phase; readonly heard: boolean },
): Reason {
  const { phase, heard } = at;
  const broker = `broker ${addressText(at.broker)}`;
  const code = systemErrorCode(error) ?? 'no code';
  const said = error instanceof Error && error.message !== '' ? error.message : code;
  const fault = socketFault(broker, code, said);
  if (fault) return { ...fault, cause: error };
  if (phase === 'tls' && isNotTls(code)) {
    return { ...speaksPlainText(broker, code), cause: error };
  }
  if (phase === 'tls' && !heard && (code === 'ECONNRESET' || code === 'EPIPE')) {
    const why = 'it closed the connection without an answer';
    return { ...speaksPlainText(broker, why), cause: error };
  }
  if (phase === 'tls') {
    const message = `TLS with ${broker} failed: ${said} (${code}).`;
    return { code: 'BROKER_UNREACHABLE', message, cause: error };
  }
  if (phase === 'connect') return { ...unreachable(broker, code), cause: error };
  return {
    code: 'CONNECTION_LOST',
    message: `The connection to ${broker} broke (${code}). It is made anew when needed.`,
    cause: error,
  };
}

/** A phase did not end in time. */
export function tooSlow(broker: BrokerAddress, what: string, timeoutMs: number): Reason {
  return {
    code: 'BROKER_UNREACHABLE',
    message: `Broker ${addressText(broker)} did not ${what} within ${timeoutMs} ms. Check the network, and that the broker runs.`,
  };
}

/** The package itself gave the connection up. */
export function givenUp(broker: BrokerAddress): Reason {
  return {
    code: 'CONNECTION_LOST',
    message: `The connection to broker ${addressText(broker)} was closed by this client.`,
  };
}

/** What the first answer, or its absence, tells where the client speaks plain text. */
export function wantsTls(broker: BrokerAddress, why: string): Reason {
  return speaksTls(`broker ${addressText(broker)}`, why);
}
