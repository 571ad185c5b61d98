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

async function putKey(env: Readonly<Record<string, string>>): Promise<void> {
  await using client = new DiasporaClient({ env });
  await client.putSecretKey(key, { accessKey: 'AKIA0123456789ABCDEF', endpoint: '127.0.0.1:1' });
}

async function examined(env: NodeJS.ProcessEnv): Promise<(id: string) => CheckResult | undefined> {
  const quiet = { onStart: () => undefined, onResult: () => undefined };
  const examination = new Examination({ timeoutMs: 58_000, ...quiet });
  const flags = { auth: 'diaspora', write: false };
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
