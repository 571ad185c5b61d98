import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createTokenSource, type TokenSource } from '../../../src/auth/token-source.ts';
import type { ResolvedAwsIam } from '../../../src/options.ts';
import { Heard, temporaryDirectory } from './signed-in.ts';

const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';

/** What AWS's own package looks at, and is not to find on whatever machine this runs. */
beforeEach(() => {
  const home = temporaryDirectory();
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
  }
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(home, 'credentials'));
  vi.stubEnv('AWS_CONFIG_FILE', join(home, 'config'));
});

function sourceOf(
  auth: Partial<ResolvedAwsIam>,
  requestTimeoutMs = 10_000,
): { source: TokenSource; heard: Heard } {
  const heard = new Heard();
  const source = createTokenSource({
    auth: { type: 'aws-iam', region: 'eu-west-3', credentials: null, profile: null, ...auth },
    diagnostics: heard.diagnostics,
    requestTimeoutMs,
  });
  onTestFinished(() => source.close());
  return { source, heard };
}

async function parametersOf(source: TokenSource): Promise<Record<string, string>> {
  const { value } = await source.token();
  const url = new URL(Buffer.from(value, 'base64url').toString());
  return { host: url.hostname, ...Object.fromEntries(url.searchParams) };
}

/** An HTTP server of this machine's, as containers have one for their credentials. Answers its URL. */
async function containerEndpoint(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/credentials`;
}

describe('tokens of AWS IAM', () => {
  it('are signed with the access key that is given, and kept while they are good', async () => {
    const { source, heard } = sourceOf({
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey, sessionToken: 'of a session' },
    });
    expect(await parametersOf(source)).toMatchObject({
      host: 'kafka.eu-west-3.amazonaws.com',
      'X-Amz-Credential': expect.stringContaining('AKIDEXAMPLE/'),
      'X-Amz-Security-Token': 'of a session',
      'User-Agent': 'diaspora-logger',
    });
    expect(await source.token()).toEqual(await source.token());
    expect(heard.codes()).toEqual([]);
  });

  it('are signed anew where a broker has refused one', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const { source } = sourceOf({ credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey } });
    const refused = await source.token();
    vi.setSystemTime(Date.now() + 1_000);
    expect(await source.token()).toEqual(refused);
    source.refused(refused.value);
    expect((await source.token()).value).not.toBe(refused.value);
  });

  it('are those of the profile that is named, from AWS’s own files', async () => {
    const home = temporaryDirectory();
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(home, 'credentials'));
    vi.stubEnv('AWS_CONFIG_FILE', join(home, 'config'));
    writeFileSync(
      join(home, 'credentials'),
      `[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key = ${secretAccessKey}\n[lab]\naws_access_key_id = AKIDLAB\naws_secret_access_key = ${secretAccessKey}\n`,
    );
    const { source } = sourceOf({ profile: 'lab' });
    expect(await parametersOf(source)).toMatchObject({
      host: 'kafka.eu-west-3.amazonaws.com',
      'X-Amz-Credential': expect.stringContaining('AKIDLAB/'),
      'User-Agent': expect.stringContaining('aws-msk-iam-sasl-signer-js'),
    });
    // Without a profile: the files' default.
    expect(await parametersOf(sourceOf({}).source)).toMatchObject({
      'X-Amz-Credential': expect.stringContaining('AKIDDEFAULT/'),
    });
  });

  it('are those of a container, as long as its credentials last', async () => {
    const asked: (string | undefined)[] = [];
    const expiration = new Date(Date.now() + 600_000);
    const url = await containerEndpoint((request, response) => {
      asked.push(request.headers.authorization);
      response.setHeader('content-type', 'application/json');
      const credentials = { AccessKeyId: 'ASIACONTAINER', SecretAccessKey: secretAccessKey };
      const more = { Token: 'of the container', Expiration: expiration.toISOString() };
      response.end(JSON.stringify({ ...credentials, ...more }));
    });
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', url);
    vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN', 'let me in');
    const { source, heard } = sourceOf({});
    expect(await parametersOf(source)).toMatchObject({
      'X-Amz-Credential': expect.stringContaining('ASIACONTAINER/'),
      'X-Amz-Security-Token': 'of the container',
    });
    expect((await source.token()).expiresAt).toBeLessThanOrEqual(expiration.getTime());
    expect(asked).toEqual(['let me in']);
    expect(heard.codes()).toEqual([]);
  });

  it('are not there where no credentials are found, and then it is said what to do', async () => {
    const { source, heard } = sourceOf({});
    const failure = source.token();
    await expect(failure).rejects.toMatchObject({
      name: 'AuthenticationError',
      code: 'AWS_CREDENTIALS_FAILED',
      message:
        'No AWS credentials were found (CredentialsProviderError): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or auth.profile, or give this machine or container a role.',
      retriable: true,
    });
    expect(heard.codes()).toEqual(['AWS_CREDENTIALS_FAILED']);
  });

  it('are not there for a profile that is not in AWS’s files, until it is', async () => {
    const { source, heard } = sourceOf({ profile: 'night-shift' });
    await expect(source.token()).rejects.toThrow(
      'AWS profile "night-shift" gives no credentials (CredentialsProviderError): check it in AWS\'s files (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE), such as by "aws sts get-caller-identity --profile night-shift".',
    );
    expect(heard.count('AWS_CREDENTIALS_FAILED')).toBe(1);
    const file = join(temporaryDirectory(), 'credentials');
    writeFileSync(
      file,
      `[night-shift]\naws_access_key_id = AKIDNIGHT\naws_secret_access_key = ${secretAccessKey}\n`,
    );
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file);
    expect(await parametersOf(source)).toMatchObject({
      'X-Amz-Credential': expect.stringContaining('AKIDNIGHT/'),
    });
  });

  it('are given up where an endpoint does not answer', async () => {
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', await containerEndpoint(() => {}));
    const { source, heard } = sourceOf({}, 200);
    await expect(source.token()).rejects.toThrow(
      /^No AWS credentials were found \(nothing within 200 ms\): /,
    );
    expect(heard.codes()).toEqual(['AWS_CREDENTIALS_FAILED']);
  });

  it('fail without showing what a credential process prints', async () => {
    const home = temporaryDirectory();
    const config = join(home, 'config');
    const program = `${process.execPath} -e console.error('${secretAccessKey}');process.exit(1)`;
    writeFileSync(config, `[profile leaky]\ncredential_process = ${program}\n`);
    vi.stubEnv('AWS_CONFIG_FILE', config);
    const { source, heard } = sourceOf({ profile: 'leaky' });
    const error: unknown = await source.token().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'AWS_CREDENTIALS_FAILED' });
    const said = inspect([error, heard.events, source], { depth: 20, showHidden: true });
    expect(said).toContain('AWS profile "leaky" gives no credentials');
    expect(said).not.toContain(secretAccessKey);
  });

  it('have their keys in no inspection of what makes them', () => {
    const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey };
    const { source } = sourceOf({ credentials });
    expect(inspect(source, { depth: 20, showHidden: true })).not.toContain(secretAccessKey);
  });
});
