import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { reply, scriptedEndpoint } from './scripted-endpoint.ts';
import { temporaryDirectory } from './signed-in.ts';

/** The sources in a project where simple-oauth2 has a copy of `debug` of its own. */
function projectWithTwoCopies(): string {
  const project = temporaryDirectory();
  const packages = resolve('node_modules');
  cpSync('src', join(project, 'src'), { recursive: true });
  cpSync('package.json', join(project, 'package.json'));
  mkdirSync(join(project, 'node_modules'));
  for (const name of readdirSync(packages)) {
    if (name === 'simple-oauth2' || name.startsWith('.')) continue;
    symlinkSync(join(packages, name), join(project, 'node_modules', name));
  }
  const own = join(project, 'node_modules/simple-oauth2');
  cpSync(join(packages, 'simple-oauth2'), own, { recursive: true });
  cpSync(join(packages, 'debug'), join(own, 'node_modules/debug'), { recursive: true });
  return project;
}

it('DEBUG=* prints no request where the app loaded simple-oauth2 with another copy of debug', async () => {
  const { issuer, sent } = await scriptedEndpoint(() => reply({ access_token: 'ACCESS-SECRET' }));
  const cwd = projectWithTwoCopies();
  const program = `
    import 'simple-oauth2';
    import { createTokenSource } from ${JSON.stringify(pathToFileURL(join(cwd, 'src/auth/token-source.ts')).href)};
    const source = createTokenSource({ auth: {
      type: 'globus', issuer: ${JSON.stringify(issuer)}, refreshToken: 'REFRESH-SECRET',
      oauthClientId: 'me', oauthClientSecret: 'CLIENT-SECRET',
    } });
    await source.token();
    source.close();`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    cwd,
    env: { PATH: process.env['PATH'], DEBUG: '*', DIASPORA_USER_DIR: temporaryDirectory() },
  });
  const closed = once(child, 'close');
  const seen = await text(child.stderr);
  expect((await closed)[0]).toBe(0);
  expect(sent).toEqual(['REFRESH-SECRET']);
  for (const secret of ['REFRESH-SECRET', 'CLIENT-SECRET', 'me:CLIENT-SECRET']) {
    expect(seen).not.toContain(secret);
    expect(seen).not.toContain(Buffer.from(secret).toString('base64'));
  }
});
