/** What a failure inside kafkajs means to an operator, and what to do about it. */
import type { DiagnosticCode } from '../diagnostics.ts';
import { AuthenticationError } from '../errors.ts';

/** What a failure is reported as. */
export interface Failure {
  readonly code: DiagnosticCode;
  /** Whole sentences: what happened, to what, and what to do. */
  readonly message: string;
}

/** What was tried when it failed. */
export interface Attempt {
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Whether connections are encrypted. */
  readonly encrypted: boolean;
  /** Whether a broker has ever answered: where one has, its port speaks what this client speaks. */
  readonly answered: boolean;
}

/** Null where nothing is to be said, since the source of access tokens has said it. */
export function failureOf(error: unknown, attempt: Attempt): Failure | null {
  const chain = causes(error);
  if (chain.some((cause) => cause instanceof AuthenticationError)) return null;
  for (const cause of chain) {
    const failure = known(cause, attempt);
    if (failure) return failure;
  }
  return {
    code: 'CONSUMER_RESTARTED',
    message: `The consumer of group ${attempt.groupId} stopped (${failureMessage(error)}).`,
  };
}

/** The innermost message: kafkajs wraps it in news of its own retries. */
export function failureMessage(error: unknown): string {
  return causes(error).at(-1)?.message ?? String(error);
}

function known(error: Error, attempt: Attempt): Failure | null {
  const { groupId, topics } = attempt;
  switch (textOf(error, 'type')) {
    case 'UNKNOWN_TOPIC_OR_PARTITION':
      return {
        code: 'TOPIC_UNKNOWN',
        message: `${subject(topics)} does not exist: check the spelling; else create or claim it.`,
      };
    // A broker with access rules answers so for a topic that does not exist, too.
    case 'TOPIC_AUTHORIZATION_FAILED':
      return {
        code: 'READ_DENIED',
        message: `${subject(topics)} does not exist, or this account may not read it (the broker does not tell which): check the spelling; else claim it, or ask its owner.`,
      };
    case 'GROUP_AUTHORIZATION_FAILED':
      return {
        code: 'READ_DENIED',
        message: `This account may not use consumer group ${groupId}: take a groupId that it may use, or ask for the READ right on this one.`,
      };
  }
  switch (error.name) {
    case 'KafkaJSSASLAuthenticationError':
      return {
        code: 'SIGN_IN_REFUSED',
        message: `The brokers refused the sign-in (${error.message}). Check auth.`,
      };
    case 'KafkaJSConnectionError':
      return connectionFailure(error, attempt);
    case 'KafkaJSConnectionClosedError':
      return hungUp(nameOf(error), 'it closed the connection', attempt);
    case 'KafkaJSRequestTimeoutError':
      return {
        code: 'REQUEST_TIMED_OUT',
        message: `${nameOf(error)} did not answer within requestTimeoutMs. Check the network, and that the broker runs.`,
      };
  }
  return null;
}

function subject(topics: readonly string[]): string {
  const [topic = ''] = topics;
  return topics.length > 1 ? `One of the topics ${topics.join(', ')}` : `Topic ${topic}`;
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

const unresolved = /^(ENOTFOUND|EAI_)/;
const otherName = /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/;
const brokeOff = /^(ECONNRESET|EPIPE)$/;

/** By the code of the socket's error, which kafkajs hands on. */
function connectionFailure(error: Error, attempt: Attempt): Failure {
  const broker = nameOf(error);
  const code = textOf(error, 'code');
  if (unresolved.test(code)) {
    return {
      code: 'BROKER_HOST_UNKNOWN',
      message: `The name of ${lowered(broker)} cannot be resolved (${code}). Check bootstrapBrokers and the name service.`,
    };
  }
  if (distrust.test(code)) {
    const remedy = otherName.test(code)
      ? 'Connect by a name that it holds, or set tls.servername.'
      : 'Set tls.ca or DIASPORA_CA_FILE to the authority that signed it.';
    const said = error.message.replace(/^Connection error: /, '');
    return {
      code: 'BROKER_CERTIFICATE_REFUSED',
      message: `The certificate of ${lowered(broker)} is not trusted: ${said} (${code}). ${remedy}`,
    };
  }
  if (clientCertificateAlert.test(code)) {
    return {
      code: 'CLIENT_CERTIFICATE_REFUSED',
      message: `${broker} refused the client's certificate (${code}). Set tls.cert and tls.key, or tls.pfx, to a certificate that the broker trusts.`,
    };
  }
  if (notTls.test(code)) return speaksPlainText(broker, code);
  if (brokeOff.test(code)) return hungUp(broker, code, attempt);
  return {
    code: 'BROKER_UNREACHABLE',
    message: `${broker} cannot be reached (${code || 'no answer in time'}). Check bootstrapBrokers, the network, and that the broker runs.`,
  };
}

/**
 * A broker breaks off at once what it does not understand: plain text where it wants TLS, and TLS
 * where it wants plain text (to Kafka a request of hundreds of megabytes).
 */
function hungUp(broker: string, why: string, { encrypted, answered }: Attempt): Failure {
  if (answered) {
    return {
      code: 'CONNECTION_LOST',
      message: `The connection to ${lowered(broker)} broke (${why}).`,
    };
  }
  if (encrypted) return speaksPlainText(broker, why);
  return {
    code: 'BROKER_WANTS_TLS',
    message: `${broker} does not answer plain text (${why}): most likely this port speaks TLS. Leave tls on, or use another port.`,
  };
}

function speaksPlainText(broker: string, why: string): Failure {
  return {
    code: 'BROKER_NOT_TLS',
    message: `${broker} does not answer TLS (${why}): most likely this port speaks plain text. Use the broker's TLS port, or set tls: false.`,
  };
}

/** As a sentence begins: `Broker host:port`. */
function nameOf(error: Error): string {
  const broker = textOf(error, 'broker');
  return broker === '' ? 'A broker' : `Broker ${broker}`;
}

function lowered(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function textOf(error: Error, property: 'type' | 'code' | 'broker'): string {
  const value: unknown = Reflect.get(error, property);
  return typeof value === 'string' ? value : '';
}

function causes(error: unknown): Error[] {
  const found: Error[] = [];
  for (let at = error; at instanceof Error && !found.includes(at); at = at.cause) found.push(at);
  return found;
}
