/** SCRAM, mutual TLS, and nothing at all. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificates } from '../../../stack/certificates.ts';
import type { StackClient } from '../../../stack/stack-client.ts';
import { temporaryDirectory } from './environment.ts';
import { madeUpSecret, type Way } from './way.ts';

export function scramWay(stack: StackClient, mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512'): Way {
  const { username, password } = stack.scramUser;
  const options = {
    bootstrapBrokers: stack.bootstrap('SCRAM'),
    auth: { type: 'scram', mechanism },
  } as const;
  const env = { DIASPORA_USERNAME: username, DIASPORA_PASSWORD: password };
  return {
    name: mechanism,
    right: () => ({ options, env }),
    wrong: {
      what: 'another password',
      make: () => ({ options, env: { ...env, DIASPORA_PASSWORD: madeUpSecret() } }),
      producer: {
        code: 'SIGN_IN_REFUSED',
        says: /refused SCRAM-SHA-\d+ sign-in of user "station": .*\. Check auth\.username and auth\.password\.$/,
      },
      consumer: {
        code: 'SIGN_IN_REFUSED',
        says: /^The brokers refused the sign-in \(SASL SCRAM SHA\d+ authentication failed: .*\)\. Check auth\.username and auth\.password\. The consumer of group /,
      },
    },
  };
}

const refusedCertificate = {
  code: 'CLIENT_CERTIFICATE_REFUSED',
  says: /^Broker \S+ refused the client's certificate \(ERR_SSL_\w+\)\. Set tls\.cert and tls\.key, or tls\.pfx, to a certificate that the broker trusts\./,
} as const;

const expiredCertificate = {
  code: 'CLIENT_CERTIFICATE_REFUSED',
  says: /^Broker \S+ refused the client's certificate \(ERR_SSL_\w+\)\. .* The one that was shown has expired: it was good until \d{4}-\S+Z\./,
} as const;

export function pemWay(stack: StackClient): Way {
  const { certFile, keyFile } = stack.clientCertificate;
  const optionsOf = (cert: string, key: string) => ({
    bootstrapBrokers: stack.bootstrap('MTLS'),
    auth: { type: 'mtls' } as const,
    tls: { ca: stack.caFile, cert, key },
  });
  return {
    name: 'mutual TLS, PEM',
    right: () => ({ options: optionsOf(certFile, keyFile) }),
    wrong: [
      {
        what: 'a certificate of another authority',
        async make() {
          const { client } = await createCertificates('instrument');
          return { options: optionsOf(client.certificate, client.key) };
        },
        producer: refusedCertificate,
        consumer: refusedCertificate,
      },
      {
        what: 'no certificate',
        make: () => ({
          options: { bootstrapBrokers: stack.bootstrap('MTLS'), auth: { type: 'none' } },
        }),
        producer: refusedCertificate,
        consumer: refusedCertificate,
      },
    ],
  };
}

export function pfxWay(stack: StackClient): Way {
  const { pfxFile, passphrase, expired } = stack.clientCertificate;
  const optionsOf = (pfx: string) => ({
    bootstrapBrokers: stack.bootstrap('MTLS'),
    auth: { type: 'mtls' } as const,
    tls: { ca: stack.caFile, pfx },
  });
  return {
    name: 'mutual TLS, PKCS12 with a passphrase',
    right: () => ({ options: optionsOf(pfxFile), env: { DIASPORA_TLS_PASSPHRASE: passphrase } }),
    wrong: {
      what: 'a certificate that has expired',
      make: () => {
        const { pfx, env } = pkcs12(expired);
        return { options: optionsOf(pfx), env };
      },
      producer: expiredCertificate,
      consumer: expiredCertificate,
    },
  };
}

/** As `openssl pkcs12 -export` makes it. */
function pkcs12({ certFile, keyFile }: { certFile: string; keyFile: string }): {
  pfx: string;
  env: Record<string, string>;
} {
  const directory = temporaryDirectory();
  const all = join(directory, 'all.pem');
  const pfx = join(directory, 'client.p12');
  const passphrase = madeUpSecret();
  writeFileSync(all, readFileSync(keyFile, 'utf8') + readFileSync(certFile, 'utf8'));
  const out = ['-out', pfx, '-passout', `pass:${passphrase}`];
  execFileSync('openssl', ['pkcs12', '-export', '-in', all, ...out]);
  return { pfx, env: { DIASPORA_TLS_PASSPHRASE: passphrase } };
}

export function openWay(stack: StackClient): Way {
  return {
    name: 'nothing, in plain text',
    right: () => ({
      options: {
        bootstrapBrokers: stack.bootstrap('INTERNAL'),
        auth: { type: 'none' },
        tls: false,
      },
    }),
    wrong: {
      what: 'a listener that wants a sign-in',
      make: () => ({
        options: { bootstrapBrokers: stack.bootstrap('SCRAM'), auth: { type: 'none' } },
      }),
      producer: {
        code: 'CONNECTION_LOST',
        says: /^Broker \S+ closed the connection at the first request: most likely it wants a sign-in\. Set auth\.type\.$/,
      },
      consumer: { code: 'CONNECTION_LOST', says: /./ },
    },
  };
}
