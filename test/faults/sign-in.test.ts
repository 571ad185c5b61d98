import { randomBytes } from 'node:crypto';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import type { DiagnosticCode } from '../../src/diagnostics.ts';
import type { TransportOptions } from '../../src/options.ts';
import { createCertificates } from '../../stack/certificates.ts';
import type { SignedIn } from '../../stack/globus.ts';
import { runKafkaTool } from '../../stack/java-tools.ts';
import { announceSecret } from '../../stack/secrets.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { buildPackage } from '../integration/built-package.ts';
import { fronts } from './driving/logging-app.ts';
import { type Apps, type Cause, expectAllDelivered, expectNamed, meetRefusal } from './refusal.ts';
import { inForm } from './report/form.ts';

/** Seconds: a revoked refresh token is noticed when this is nearly over. */
const tokenLife = 12;

/**
 * How long a refusal lasts, in milliseconds. Mended, it is noticed within another 15 s: so all of it stays below the 30 s
 * after which a line may be said again.
 */
const lastsMs = inForm({ full: 12_000, short: 3_000 });

/** All that any package in the app has to say is printed, and searched for secrets. */
const env = { DEBUG: '*' };

let stack: Stack;
/** Its access token is good for days. */
let lasting: SignedIn;
beforeAll(async () => {
  await buildPackage();
  stack = await startStack();
  lasting = await stack.globus.signIn();
  await stack.globus.set({ accessTokenTtl: tokenLife });
});
afterAll(() => stack.stop());

/** A password that nobody else has. */
function newPassword(): string {
  const value = randomBytes(12).toString('hex');
  announceSecret({ kind: 'a SCRAM password', value });
  return value;
}

async function setPassword(user: string, password: string): Promise<void> {
  await runKafkaTool('kafka.admin.ConfigCommand', [
    ...['--bootstrap-server', stack.bootstrap('INTERNAL'), '--alter'],
    ...['--entity-type', 'users', '--entity-name', user],
    ...['--add-config', `SCRAM-SHA-512=[password=${password}]`],
  ]);
}

/** The refusal is said, goes on, and has its cause taken away. */
async function mend(
  { each, measure }: Apps,
  code: DiagnosticCode,
  takeCauseAway: () => Promise<void>,
): Promise<void> {
  await each((app) => app.said(code));
  await measure();
  await sleep(lastsMs);
  await takeCauseAway();
  await each((app) => app.said('DELIVERY_RESUMED'));
}

describe.concurrent('Records wait for credentials that are taken', { timeout: 90_000 }, () => {
  it('when a broker refuses the access token', (context) =>
    meetRefusal(
      context,
      {
        fault: 'A revoked access token from a `token` module; a good one later',
        stack,
        env,
        options: ({ directory }) => ({
          auth: { type: 'token', module: join(directory, 'token-module.mjs') },
        }),
        async prepare({ topic, directory }) {
          const { accessToken } = await stack.globus.signIn();
          await stack.globus.revoke(accessToken);
          await writeFile(join(directory, 'access-token'), accessToken);
          const module = new URL('./apps/token-module.mjs', import.meta.url);
          await copyFile(fileURLToPath(module), join(directory, 'token-module.mjs'));
          await stack.createTopic(topic);
        },
        meet: (apps, { directory }) =>
          mend(apps, 'TOKEN_REFUSED_BY_BROKER', () =>
            writeFile(join(directory, 'access-token'), lasting.accessToken),
          ),
      },
      (result) => {
        expectNamed(context, result, {
          causes: [
            {
              code: 'TOKEN_REFUSED_BY_BROKER',
              says: [/refused the access token: /, /Check that the token is for this cluster/],
            },
          ],
          after: ['DELIVERY_RESUMED'],
        });
        expectAllDelivered(result);
      },
    ));

  it('when the refresh token is revoked while records flow, and replaced in its file', (context) => {
    let refreshToken = '';
    return meetRefusal(
      context,
      {
        fault: 'The refresh token revoked; another one in its file later',
        stack,
        env,
        options: ({ directory }) => ({
          auth: { type: 'globus', refreshTokenFile: join(directory, 'refresh-token') },
        }),
        async prepare({ topic, directory }) {
          ({ refreshToken } = await stack.globus.signIn());
          await writeFile(join(directory, 'refresh-token'), refreshToken);
          await stack.createTopic(topic);
        },
        async meet(apps, { directory }) {
          await apps.each((app) => app.flush());
          await stack.globus.revoke(refreshToken);
          await mend(apps, 'REFRESH_TOKEN_INVALID', async () => {
            // The last access token has ended by then.
            await sleep(tokenLife * 1000 * 0.25);
            const { refreshToken: another } = await stack.globus.signIn();
            await writeFile(join(directory, 'refresh-token'), another);
          });
        },
      },
      (result) => {
        expectNamed(context, result, {
          causes: [
            {
              code: 'REFRESH_TOKEN_INVALID',
              says: [
                /does not accept the refresh token in the file/,
                /npx diaspora-logger request-token/,
              ],
            },
          ],
          after: ['DELIVERY_RESUMED'],
        });
        expectAllDelivered(result);
      },
    );
  });

  it('when the SCRAM password is wrong, and put right at the broker', (context) => {
    const user = `station-${randomBytes(4).toString('hex')}`;
    const password = newPassword();
    return meetRefusal(
      context,
      {
        fault: 'A wrong SCRAM password, put right at the broker later',
        stack,
        env,
        options: () => ({
          bootstrapBrokers: stack.bootstrap('SCRAM'),
          auth: { type: 'scram', username: user, password },
        }),
        async prepare({ topic }) {
          await setPassword(user, newPassword());
          await stack.createTopic(topic, { owner: user });
        },
        meet: (apps) => mend(apps, 'SIGN_IN_REFUSED', () => setPassword(user, password)),
      },
      (result) => {
        expectNamed(context, result, {
          causes: [
            {
              code: 'SIGN_IN_REFUSED',
              says: [
                /refused SCRAM-SHA-512 sign-in of user "station-/,
                /Check auth\.username and auth\.password/,
              ],
            },
          ],
          after: ['DELIVERY_RESUMED'],
        });
        expectAllDelivered(result);
      },
    );
  });
});

/** What lasts as long as the app: its own options are wrong. */
interface Lasting {
  readonly fault: string;
  readonly cause: Cause;
  readonly options: () => TransportOptions | Promise<TransportOptions>;
}

const lastingRefusals: readonly Lasting[] = [
  {
    fault: 'A host name that nobody knows',
    cause: {
      code: 'BROKER_HOST_UNKNOWN',
      says: [/broker\.invalid:9094 cannot be resolved/, /Check bootstrapBrokers/],
    },
    options: () => ({ bootstrapBrokers: 'broker.invalid:9094' }),
  },
  {
    fault: 'Another authority than the one that signed the broker’s certificate',
    cause: {
      code: 'BROKER_CERTIFICATE_REFUSED',
      says: [/is not trusted/, /Set tls\.ca or DIASPORA_CA_FILE/],
    },
    options: async () => ({ tls: { ca: (await createCertificates('other')).ca } }),
  },
  {
    fault: 'A broker whose certificate is for another name',
    cause: {
      code: 'BROKER_CERTIFICATE_REFUSED',
      says: [/is not trusted: Hostname/, /Connect by a name that it holds, or set tls\.servername/],
    },
    options: () => ({ tls: { ca: stack.caFile, servername: 'broker.example.org' } }),
  },
  {
    fault: 'A listener without TLS where the app speaks TLS',
    cause: {
      code: 'BROKER_NOT_TLS',
      says: [/does not answer TLS/, /Use the broker's TLS port, or set tls: false/],
    },
    options: () => ({ bootstrapBrokers: stack.bootstrap('INTERNAL') }),
  },
  {
    fault: 'A listener with TLS where the app speaks plain text',
    cause: { code: 'BROKER_WANTS_TLS', says: [/does not answer plain text/, /Leave tls on/] },
    options: () => ({ tls: false }),
  },
  {
    fault: 'No client certificate where the broker wants one',
    cause: {
      code: 'CLIENT_CERTIFICATE_REFUSED',
      says: [/refused the client's certificate/, /Set tls\.cert and tls\.key, or tls\.pfx/],
    },
    options: () => ({ bootstrapBrokers: stack.bootstrap('MTLS'), auth: { type: 'none' } }),
  },
];

describe.concurrent('Records are counted at close where the app’s own options keep it from the broker', {
  timeout: 90_000,
}, () => {
  for (const lastingRefusal of lastingRefusals) {
    it(lastingRefusal.fault, (context) => expectCounted(context, lastingRefusal));
  }
});

async function expectCounted(
  context: TestContext,
  { fault, cause, options }: Lasting,
): Promise<void> {
  const given = { closeTimeoutMs: 1_000, ...(await options()) };
  await meetRefusal(
    context,
    {
      fault,
      stack,
      env,
      options: () => given,
      prepare: ({ topic }) => stack.createTopic(topic),
      async meet({ each, measure }) {
        await each((app) => app.said(cause.code));
        await measure();
        await sleep(lastsMs);
      },
    },
    (result) => {
      expectNamed(context, result, {
        causes: [cause],
        after: ['NOT_DELIVERED'],
        countedAsLost: (front) => result.apps[front].stats?.unresolved ?? 'not told',
      });
      for (const front of fronts) {
        const { written, stats } = result.apps[front];
        expect(stats, front).toMatchObject({
          written,
          acknowledged: 0,
          dropped: 0,
          unresolved: written,
        });
        expect(result.said[front].at(-1)?.line, front).toContain(
          `not delivered at close: ${written}.`,
        );
        expect(result.delivered[front].records, front).toBe(0);
      }
    },
  );
}
