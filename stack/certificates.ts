/** A certificate authority of the stack's own, and what it signed: one certificate for brokers, two for a client. */

import { generate } from 'selfsigned';

/** A PEM certificate and its PKCS8 PEM key, which is the only form that Kafka's PEM stores take. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** The stack's certificates. */
export interface Certificates {
  /** PEM. */
  readonly ca: string;
  /** For `localhost`, 127.0.0.1 and ::1. */
  readonly broker: Certificate;
  /** Common name: the client's principal. */
  readonly client: Certificate;
  /** The same client's, of which the time is over. */
  readonly expiredClient: Certificate;
}

const day = 86_400_000;

/** Makes them anew, valid from yesterday (a client's clock may be behind) and for a year. */
export async function createCertificates(clientName: string): Promise<Certificates> {
  const common = {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - day),
    notAfterDate: new Date(Date.now() + 365 * day),
  } as const;
  const named = (value: string): { name: string; value: string }[] => [
    { name: 'commonName', value },
  ];
  const authority = await generate(named('Diaspora local stack'), {
    ...common,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const ca = { key: authority.private, cert: authority.cert };
  const ofClient = (life: { notBeforeDate?: Date; notAfterDate?: Date } = {}) =>
    generate(named(clientName), {
      ...common,
      ...life,
      ca,
      extensions: [
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', clientAuth: true },
      ],
    });
  const expired = {
    notBeforeDate: new Date(Date.now() - 2 * day),
    notAfterDate: new Date(Date.now() - day),
  };
  const [broker, client, expiredClient] = await Promise.all([
    generate(named('localhost'), {
      ...common,
      ca,
      extensions: [
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', serverAuth: true },
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: 'localhost' },
            { type: 7, ip: '127.0.0.1' },
            { type: 7, ip: '::1' },
          ],
        },
      ],
    }),
    ofClient(),
    ofClient(expired),
  ]);
  return {
    ca: endLine(authority.cert),
    broker: { certificate: endLine(broker.cert), key: endLine(broker.private) },
    client: { certificate: endLine(client.cert), key: endLine(client.private) },
    expiredClient: {
      certificate: endLine(expiredClient.cert),
      key: endLine(expiredClient.private),
    },
  };
}

/** PEM blocks are put one after the other: each must end its line. */
function endLine(pem: string): string {
  return `${pem.trimEnd()}\n`;
}
