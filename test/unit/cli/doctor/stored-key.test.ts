import { expect, it } from 'vitest';
import { examineAll } from '../../../../src/cli/doctor/checks.ts';
import { type CheckResult, Examination } from '../../../../src/cli/doctor/examination.ts';
import { DiasporaClient } from '../../../../src/services/diaspora-client.ts';
import { temporaryDirectory } from '../../auth/signed-in.ts';

const key = 'A'.repeat(40);

/** Of a machine where nobody signed in, and nobody answers. */
const environment = () => ({
  DIASPORA_USER_DIR: temporaryDirectory(),
  DIASPORA_SUBJECT: '0f4c1b1e-0000-4000-8000-00000000abcd',
  DIASPORA_ISSUER: 'http://127.0.0.1:1',
  DIASPORA_SERVICE_URL: 'http://127.0.0.1:1',
});

async function putKey(
  env: Readonly<Record<string, string>>,
  endpoint = '127.0.0.1:1',
): Promise<void> {
  await using client = new DiasporaClient({ env });
  await client.putSecretKey(key, { accessKey: 'AKIA0123456789ABCDEF', endpoint });
}

async function examined(
  env: NodeJS.ProcessEnv,
  more: { readonly brokers?: string } = {},
): Promise<(id: string) => CheckResult | undefined> {
  const quiet = { onStart: () => undefined, onResult: () => undefined };
  const examination = new Examination({ timeoutMs: 58_000, ...quiet });
  const flags = { auth: 'diaspora', write: false, ...more };
  await examineAll(examination, { topicArgument: 'logs', flags, env });
  return (id) => examination.results.find((result) => result.id === id);
}

it('finds nothing in the way where a key is stored, though nobody is signed in', async () => {
  const env = environment();
  await putKey(env);
  const check = await examined(env);
  for (const id of ['token', 'service']) {
    expect(check(id)).toMatchObject({ status: 'warning', exitStatus: 0 });
    expect(check(id)?.notes.at(-1)?.text).toBe('The stored service key signs in all the same.');
  }
  expect(check('key')?.status).toBe('ok');
});

it('begins with the credentials where nobody is signed in, and no key is stored', async () => {
  const check = await examined(environment());
  for (const id of ['token', 'service']) {
    expect(check(id)).toMatchObject({ status: 'failed', exitStatus: 3 });
    expect(JSON.stringify(check(id)?.notes)).not.toContain('all the same');
  }
});

it('warns of a stored key that has no brokers, unless they are named otherwise', async () => {
  const env = environment();
  await putKey(env, '');
  const check = await examined(env);
  expect(check('key')).toMatchObject({
    status: 'warning',
    notes: [
      {
        text: 'access key AKIA0123456789ABCDEF, for brokers that it does not name',
        advice: expect.stringMatching(/keys put.*--endpoint.*DIASPORA_BOOTSTRAP/),
      },
    ],
  });
  expect(check('names')).toMatchObject({ status: 'failed' });
  const brokers = '127.0.0.1:1';
  const [byFlag, byEnvironment] = [
    await examined(env, { brokers }),
    await examined({ ...env, DIASPORA_BOOTSTRAP: brokers }),
  ];
  for (const named of [byFlag, byEnvironment]) {
    expect(named('key')).toMatchObject({ status: 'ok' });
    expect(named('names')).toMatchObject({ status: 'ok' });
  }
});
