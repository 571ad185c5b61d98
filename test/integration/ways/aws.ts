/** AWS IAM, with the access keys that the topic service gives out. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { AccessKey } from '../../../src/services/service-key.ts';
import { temporaryDirectory } from './environment.ts';
import { tokenRefused } from './tokens.ts';
import { madeUpSecret, type Way } from './way.ts';

const options = { auth: { type: 'aws-iam' } } as const;
const region = { AWS_REGION: 'us-east-1' };

/** `key`: asked for within each test. */
export type KeyOf = () => AccessKey;

const remedy =
  /Check the access key, its region and its policy \(kafka-cluster:Connect\), and this machine's clock\./;

const keyRefused = {
  producer: { ...tokenRefused.producer, says: remedy },
  consumer: { ...tokenRefused.consumer, says: remedy },
} as const;

export function accessKeyWay(key: KeyOf): Way {
  const envOf = (accessKeyId: string, secretAccessKey: string): Record<string, string> => ({
    ...region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  });
  return {
    name: 'AWS IAM, by access key',
    right: () => ({ options, env: envOf(key().accessKey, key().secretKey) }),
    wrong: [
      {
        what: 'another secret',
        make: () => ({ options, env: envOf(key().accessKey, madeUpSecret()) }),
        ...keyRefused,
      },
      {
        what: 'another region',
        make: () => ({
          options: { auth: { type: 'aws-iam', region: 'eu-west-3' } },
          env: envOf(key().accessKey, key().secretKey),
        }),
        ...keyRefused,
      },
    ],
  };
}

export function profileWay(key: KeyOf): Way {
  const lab = { auth: { type: 'aws-iam', profile: 'lab' } } as const;
  const envOf = (secretAccessKey: string): Record<string, string> => {
    const file = join(temporaryDirectory(), 'credentials');
    const { accessKey } = key();
    const lines = ['[lab]', `aws_access_key_id = ${accessKey}`];
    writeFileSync(file, [...lines, `aws_secret_access_key = ${secretAccessKey}`, ''].join('\n'));
    return { ...region, AWS_SHARED_CREDENTIALS_FILE: file };
  };
  const missing = {
    code: 'AWS_CREDENTIALS_FAILED',
    says: /^AWS profile "lab" gives no credentials \(CredentialsProviderError\): check it in AWS's files /,
  } as const;
  return {
    name: 'AWS IAM, by profile',
    right: () => ({ options: lab, env: envOf(key().secretKey) }),
    wrong: [
      {
        what: 'a profile that is not there',
        make: () => ({ options: lab, env: region }),
        producer: missing,
        consumer: missing,
      },
      {
        what: 'another secret',
        make: () => ({ options: lab, env: envOf(madeUpSecret()) }),
        ...keyRefused,
      },
    ],
  };
}

export function containerWay(key: KeyOf): Way {
  const authorization = madeUpSecret();
  const envOf = (url: string): Record<string, string> => ({
    ...region,
    AWS_CONTAINER_CREDENTIALS_FULL_URI: url,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: authorization,
    // Must not be asked: nothing would come through.
    HTTP_PROXY: 'http://127.0.0.1:1',
    HTTPS_PROXY: 'http://127.0.0.1:1',
  });
  const missing = {
    code: 'AWS_CREDENTIALS_FAILED',
    says: /^No AWS credentials were found \(CredentialsProviderError\): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or auth\.profile, or give this machine or container a role\./,
  } as const;
  return {
    name: 'AWS IAM, by the endpoint of a container',
    right: async () => ({ options, env: envOf(await containerEndpoint(key(), authorization)) }),
    wrong: {
      what: 'an endpoint that refuses',
      make: async () => ({ options, env: envOf(await containerEndpoint(key(), madeUpSecret())) }),
      producer: missing,
      consumer: missing,
    },
  };
}

/** An HTTP server of this machine's, as containers have one for their credentials. Answers its URL. */
async function containerEndpoint(key: AccessKey, authorization: string): Promise<string> {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    if (request.headers.authorization !== authorization) {
      response.writeHead(403).end('{}');
      return;
    }
    const credentials = { AccessKeyId: key.accessKey, SecretAccessKey: key.secretKey };
    const expiration = new Date(Date.now() + 6 * 3_600_000).toISOString();
    // The stack's keys are for good, and have no session token.
    response.end(JSON.stringify({ ...credentials, Token: '', Expiration: expiration }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/credentials`;
}
