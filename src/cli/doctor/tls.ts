/** TLS with each broker: who signed its certificate, whom it is for, and until when. */
import { isIP } from 'node:net';
import {
  type DetailedPeerCertificate,
  TLSSocket,
  type ConnectionOptions as TlsOptions,
} from 'node:tls';
import { uncheckedTls } from '../../broker-faults.ts';
import { ConnectionError } from '../../errors.ts';
import { addressText, type BrokerAddress } from '../../wire/broker-address.ts';
import { openSocket } from '../../wire/open-socket.ts';
import { OpenSockets } from '../../wire/open-sockets.ts';
import { type Note, noteOf } from './advice.ts';
import { type Finding, ok, warning } from './examination.ts';
import { eachBroker, phaseTimeoutMs } from './reach.ts';
import { lifeText } from './token.ts';

/** A certificate that ends so soon is spoken of, in milliseconds: two weeks. */
const soonMs = 14 * 86_400_000;

export async function examineTls(
  brokers: readonly BrokerAddress[],
  tls: TlsOptions | null,
  signal: AbortSignal,
): Promise<Finding<readonly BrokerAddress[]>> {
  if (tls === null) return plainText(brokers);
  const soon: Note[] = [];
  const found = await eachBroker(brokers, async (broker) => {
    const { certificate, protocol } = await handshake(broker, tls, signal);
    const note = aboutToEnd(broker, certificate);
    if (note !== null) soon.push(note);
    return `${addressText(broker)}: ${protocol}, ${describe(certificate)}`;
  });
  const unchecked = uncheckedTls(tls);
  const doubts = [...soon, ...(unchecked === null ? [] : [noteOf(unchecked.message)])];
  if (doubts.length === 0 || found.status === 'failed') return found;
  return { ...found, status: 'warning', notes: [...found.notes, ...doubts] };
}

function plainText(brokers: readonly BrokerAddress[]): Finding<readonly BrokerAddress[]> {
  const away = brokers.find(({ host }) => !/^(localhost|127\.[\d.]+|::1)$/i.test(host));
  if (away === undefined) return ok(brokers, 'off: plain text, on this machine');
  return warning(brokers, {
    text: `off: whoever is between here and ${away.host} reads and changes everything`,
    advice: 'Use a TLS port, without --no-tls or "tls": false.',
  });
}

interface Handshake {
  readonly certificate: DetailedPeerCertificate;
  readonly protocol: string;
}

/** Throws `ConnectionError`, which tells more of a certificate that is refused. */
async function handshake(
  broker: BrokerAddress,
  tls: TlsOptions,
  signal: AbortSignal,
): Promise<Handshake> {
  try {
    return await shakeHands(broker, tls, signal);
  } catch (error) {
    if (!(error instanceof ConnectionError) || error.code !== 'BROKER_CERTIFICATE_REFUSED') {
      throw error;
    }
    // Once more, to look at it: nothing is sent over this connection.
    const unchecked = { ...tls, rejectUnauthorized: false };
    const seen = await shakeHands(broker, unchecked, signal).catch(() => null);
    if (seen === null) throw error;
    throw refusal(error, broker, tls, seen.certificate);
  }
}

async function shakeHands(
  broker: BrokerAddress,
  tls: TlsOptions,
  signal: AbortSignal,
): Promise<Handshake> {
  const sockets = new OpenSockets();
  const socket = await openSocket({ broker, tls, timeoutMs: phaseTimeoutMs, sockets, signal });
  try {
    if (!(socket instanceof TLSSocket)) throw new TypeError('No TLS was spoken.');
    return {
      certificate: socket.getPeerCertificate(true),
      protocol: socket.getProtocol() ?? 'TLS',
    };
  } finally {
    socket.destroy();
  }
}

/** What is wrong with it, and what mends that: OpenSSL tells the first thing alone. */
function refusal(
  error: ConnectionError,
  broker: BrokerAddress,
  tls: TlsOptions,
  certificate: DetailedPeerCertificate,
): ConnectionError {
  const name = addressText(broker);
  const what = describe(certificate);
  const [from, to] = [Date.parse(certificate.valid_from), Date.parse(certificate.valid_to)];
  const now = Date.now();
  const say = (fault: string, remedy: string): ConnectionError =>
    new ConnectionError(error.code, `${name}: ${fault} (${what}). ${remedy}`, false);
  if (/CERT_HAS_EXPIRED/.test(error.message)) {
    return say(
      now > to
        ? `its certificate expired ${lifeText(now - to)} ago`
        : 'a certificate of its chain has expired',
      'Ask whoever runs the broker to renew it.',
    );
  }
  if (/CERT_NOT_YET_VALID/.test(error.message)) {
    return say(
      `its certificate begins in ${lifeText(from - now)}`,
      "Check this machine's clock and the broker's.",
    );
  }
  if (/ALTNAME_INVALID|HOSTNAME_MISMATCH/.test(error.message)) {
    const asked = tls.servername ?? broker.host;
    const why = isIP(broker.host) !== 0 && !tls.servername ? ', by which it was asked for' : '';
    return say(
      `its certificate is for other names, and not for ${asked}${why}`,
      `Connect by one of ${namesOf(certificate).join(', ')}, or set tls.servername to it.`,
    );
  }
  const own =
    tls.ca === undefined
      ? "Node's own list"
      : 'the certificates of DIASPORA_CA_FILE, --ca or tls.ca';
  const isSelfSigned = certificate.fingerprint256 === certificate.issuerCertificate?.fingerprint256;
  return say(
    isSelfSigned
      ? `its certificate is signed by itself, and not in ${own}`
      : `its certificate is signed by "${nameOf(certificate.issuer)}", which is not in ${own}`,
    isSelfSigned
      ? 'Set DIASPORA_CA_FILE or --ca to this very certificate, if it is the right one.'
      : 'Set DIASPORA_CA_FILE or --ca to a PEM file with that authority.',
  );
}

function describe(certificate: DetailedPeerCertificate): string {
  const names = namesOf(certificate).join(', ') || 'no name';
  const until = new Date(certificate.valid_to).toISOString().slice(0, 10);
  return `certificate for ${names}, by "${nameOf(certificate.issuer)}", good until ${until}`;
}

/** Text such as `DNS:localhost, IP Address:127.0.0.1`. */
function namesOf({ subjectaltname = '', subject }: DetailedPeerCertificate): string[] {
  const names = [...subjectaltname.matchAll(/(?:DNS|IP Address):([^,]+)/g)].map(
    ([, name = '']) => name,
  );
  return names.length > 0 ? names : [nameOf(subject)];
}

function nameOf(subject: DetailedPeerCertificate['subject'] | undefined): string {
  return [subject?.CN ?? subject?.O ?? ''].flat().join(' ') || 'nobody';
}

function aboutToEnd(broker: BrokerAddress, certificate: DetailedPeerCertificate): Note | null {
  const left = Date.parse(certificate.valid_to) - Date.now();
  if (left > soonMs) return null;
  return {
    text: `${addressText(broker)}: its certificate ends in ${lifeText(left)}`,
    advice: 'Have it renewed.',
  };
}
