/** What the errors of a broker's socket mean to an operator, and what to do, whichever client met them. */
import { Socket } from 'node:net';
import { createSecureContext, TLSSocket, type ConnectionOptions as TlsOptions } from 'node:tls';
import type { DiagnosticCode } from './diagnostics.ts';

/** What went wrong between this client and a broker. */
export interface BrokerFault {
  readonly code: DiagnosticCode;
  /** Whole sentences: what happened, to what, and what to do. */
  readonly message: string;
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

/** getaddrinfo(3). */
const unresolved = /^(ENOTFOUND|EAI_)/;
const otherName = /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/;

/**
 * What the `code` of a socket's error says by itself; null where it depends on how far the connection
 * had come. `broker` stands in the middle of a sentence, such as `broker host:port`; `said` is the error's message.
 */
export function socketFault(broker: string, code: string, said: string): BrokerFault | null {
  if (unresolved.test(code)) {
    return {
      code: 'BROKER_HOST_UNKNOWN',
      message: `The name of ${broker} cannot be resolved (${code}). Check bootstrapBrokers and the name service.`,
    };
  }
  if (distrust.test(code)) {
    const remedy = otherName.test(code)
      ? 'Connect by a name that it holds, or set tls.servername.'
      : 'Set tls.ca or DIASPORA_CA_FILE to the authority that signed it.';
    return {
      code: 'BROKER_CERTIFICATE_REFUSED',
      message: `The certificate of ${broker} is not trusted: ${said} (${code}). ${remedy}`,
    };
  }
  if (clientCertificateAlert.test(code)) {
    return {
      code: 'CLIENT_CERTIFICATE_REFUSED',
      message: `${begin(broker)} refused the client's certificate (${code}). Set tls.cert and tls.key, or tls.pfx, to a certificate that the broker trusts.`,
    };
  }
  return null;
}

/** What these options leave unchecked of a broker's certificate, to be said once; null where all is checked. */
export function uncheckedTls(tls: TlsOptions | null): BrokerFault | null {
  if (tls?.rejectUnauthorized === false) {
    return {
      code: 'TLS_CHECK_OFF',
      message:
        'tls.rejectUnauthorized is false: brokers are not checked at all, and whoever is in between can read and change everything. Set tls.ca to the authority that signed their certificates instead.',
    };
  }
  if (tls?.checkServerIdentity) {
    return {
      code: 'TLS_CHECK_OFF',
      message:
        "tls.checkHostname is false: a broker's name is not compared with its certificate, and whoever has another certificate of the same authority can pass for it. Connect by a name that the certificate holds, or set tls.servername to one.",
    };
  }
  return null;
}

/**
 * Why brokers may refuse the client's certificate, as far as it shows that itself: a sentence; null where it does not. Brokers
 * do not tell one that has expired from one that they do not trust.
 */
export function certificateLife(tls: TlsOptions | null, now: number = Date.now()): string | null {
  if (!tls || (tls.cert === undefined && tls.pfx === undefined)) return null;
  // The one way in which Node shows the certificate of a PKCS12 file. It connects nowhere.
  const socket = new TLSSocket(new Socket(), { secureContext: createSecureContext(tls) });
  const certificate = socket.getX509Certificate();
  socket.destroy();
  if (certificate === undefined) return null;
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (now > to)
    return `The one that was shown has expired: it was good until ${new Date(to).toISOString()}.`;
  if (now < from) {
    return `The one that was shown is not good before ${new Date(from).toISOString()}: check this machine's clock.`;
  }
  return null;
}

/** Whether OpenSSL says by this code that what it got is not TLS. */
export function isNotTls(code: string): boolean {
  return notTls.test(code);
}

/** Nobody accepts connections there. */
export function unreachable(broker: string, why: string): BrokerFault {
  return {
    code: 'BROKER_UNREACHABLE',
    message: `${begin(broker)} cannot be reached (${why}). Check bootstrapBrokers, the network, and that the broker runs.`,
  };
}

/** The client speaks TLS, and the broker does not. */
export function speaksPlainText(broker: string, why: string): BrokerFault {
  return {
    code: 'BROKER_NOT_TLS',
    message: `${begin(broker)} does not answer TLS (${why}): most likely this port speaks plain text. Use the broker's TLS port, or set tls: false.`,
  };
}

/** The client speaks plain text, and the broker does not. */
export function speaksTls(broker: string, why: string): BrokerFault {
  return {
    code: 'BROKER_WANTS_TLS',
    message: `${begin(broker)} does not answer plain text (${why}): most likely this port speaks TLS. Leave tls on, or use another port.`,
  };
}

const begin = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
