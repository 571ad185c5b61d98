/** What the Python source does at a token endpoint. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { Secret } from '../../../src/other-clients/client-connection.ts';
import { pythonToken } from '../../../src/other-clients/python-token.ts';
import { reply, scriptedEndpoint } from '../auth/scripted-endpoint.ts';

const run = promisify(execFile);

/** What Python prints that asks for a token twice: each has so little life left that the next one is bought. */
async function askTwice(issuer: string, refreshToken: Secret | null): Promise<string> {
  const part = pythonToken({
    type: 'globus',
    issuer,
    oauthClientId: 'client',
    oauthClientSecret: refreshToken === null ? { variable: 'SECRET', value: 'secret' } : null,
    refreshToken,
  });
  const imports = part?.imports.map((name) => `import ${name}\n`).join('');
  const program = `${imports}\n${part?.source}\nprint(access_token()[0], access_token()[0])\n`;
  const { stdout } = await run('python3', ['-c', program], {
    env: { PATH: process.env['PATH'], DIASPORA_REFRESH: 'first' },
  });
  return stdout.trim();
}

it.each([
  ['shown', 'first'],
  ['read from the environment', null],
])('Python sends the refresh token that replaced the one that is %s', async (_how, value) => {
  const { issuer, sent } = await scriptedEndpoint((token) =>
    reply({
      access_token: `by-${token}`,
      expires_in: 1,
      ...(token === 'first' && { refresh_token: 'second' }),
    }),
  );
  const refreshToken = { variable: 'DIASPORA_REFRESH', value };
  expect(await askTwice(issuer, refreshToken)).toBe('by-first by-second');
  expect(sent).toEqual(['first', 'second']);
});

it('Python asks in the name of a client that has no refresh token', async () => {
  const { issuer, sent } = await scriptedEndpoint(() => reply({ expires_in: 1 }));
  expect(await askTwice(issuer, null)).toBe('access access');
  expect(sent).toEqual(['', '']);
});
