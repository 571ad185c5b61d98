/** Tells apart why a broker cannot be reached, so that the operator reads what to do. */
import type { DiagnosticCode } from '../diagnostics.ts';
import { ConnectionError } from '../errors.ts';
import { addressText, type BrokerAddress } from './broker-address.ts';

/** What went wrong with a connection, before it is said of each request that it took with it. */
export interface Reason {
  readonly code: DiagnosticCode;
  readonly message: string;
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

/** OpenSSL's reasons to distrust a certificate (X509_verify_cert_error_string(3)), and Node's own for its names. */
const distrust =
  /^(DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CERT_|CRL_|INVALID_CA|PATH_LENGTH|HOSTNAME_MISMATCH|INVALID_PURPOSE|ERR_TLS_CERT_ALTNAME)/;

/** The broker's TLS refuses what the client showed, or that it showed nothing. */
const clientCertificateAlert =
  /ALERT_(BAD_CERTIFICATE|CERTIFICATE|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE|NO_CERTIFICATE|ACCESS_DENIED)|CERTIFICATE_REQUIRED/;

/** What is not TLS makes OpenSSL say one of these. */
const notTls =
  /^(EPROTO|ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNEXPECTED_MESSAGE|BAD_RECORD_TYPE|RECORD_LAYER_FAILURE|HTTP_REQUEST|UNKNOWN_PROTOCOL))/;

/** Reads an error of a socket. `heard` is whether the broker had sent anything at all. */
export function socketFailure(
  error: unknown,
  at: { readonly broker: BrokerAddress; readonly phase: Phase; readonly heard: boolean },
): Reason {
  const { broker, phase, heard } = at;
  const name = addressText(broker);
  const code = errorCode(error);
  const said = error instanceof Error && error.message !== '' ? error.message : code;
  if (['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME', 'EAI_FAIL'].includes(code)) {
    const message = `The name ${broker.host} of broker ${name} cannot be resolved (${code}). Check bootstrapBrokers and the name service.`;
    return { code: 'BROKER_HOST_UNKNOWN', message, cause: error };
  }
  if (phase !== 'connect' && distrust.test(code)) {
    const remedy =
      code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH'
        ? 'Connect by a name that it holds, or set tls.servername.'
        : 'Set tls.ca or DIASPORA_CA_FILE to the authority that signed it.';
    const message = `The certificate of broker ${name} is not trusted: ${said} (${code}). ${remedy}`;
    return { code: 'BROKER_CERTIFICATE_REFUSED', message, cause: error };
  }
  if (phase !== 'connect' && clientCertificateAlert.test(code)) {
    const message = `Broker ${name} refused the client's certificate (${code}). Set tls.cert and tls.key, or tls.pfx, to a certificate that the broker trusts.`;
    return { code: 'CLIENT_CERTIFICATE_REFUSED', message, cause: error };
  }
  if (phase === 'tls' && notTls.test(code)) return notTlsReason(broker, code, error);
  if (phase === 'tls' && !heard && (code === 'ECONNRESET' || code === 'EPIPE')) {
    return notTlsReason(broker, 'it closed the connection without an answer', error);
  }
  if (phase === 'tls') {
    const message = `TLS with broker ${name} failed: ${said} (${code}).`;
    return { code: 'BROKER_UNREACHABLE', message, cause: error };
  }
  if (phase === 'connect') {
    const message = `Broker ${name} cannot be reached (${code}). Check bootstrapBrokers, the network, and that the broker runs.`;
    return { code: 'BROKER_UNREACHABLE', message, cause: error };
  }
  return {
    code: 'CONNECTION_LOST',
    message: `The connection to broker ${name} broke (${code}). It is made anew when needed.`,
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
  return {
    code: 'BROKER_WANTS_TLS',
    message: `Broker ${addressText(broker)} does not answer plain text (${why}): most likely this port speaks TLS. Leave tls on, or use another port.`,
  };
}

function notTlsReason(broker: BrokerAddress, why: string, cause: unknown): Reason {
  return {
    code: 'BROKER_NOT_TLS',
    message: `Broker ${addressText(broker)} does not answer TLS (${why}): most likely this port speaks plain text. Use the broker's TLS port, or set tls: false.`,
    cause,
  };
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'no code';
}
