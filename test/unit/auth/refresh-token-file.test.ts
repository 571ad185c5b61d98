import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventService } from '../../../src/auth/globus-service.ts';
import { TokenFile } from '../../../src/auth/token-file.ts';
import { TokenStore } from '../../../src/auth/token-store.ts';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { confidentialClient, nativeAppClientId } from '../../../stack/globus-facts.ts';
import { sourceOf, temporaryDirectory } from './signed-in.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterEach(() => globus.reset());
afterAll(() => globus.stop());

describe('a refresh token file that cannot be read', () => {
  it('does not make a service sign in as itself', async () => {
    const { refreshToken } = await globus.signIn('ann@example.org', 'confidential');
    const refreshTokenFile = join(temporaryDirectory(), 'refresh');
    writeFileSync(refreshTokenFile, refreshToken);
    const { source, heard } = sourceOf(globus, {
      oauthClientId: confidentialClient.clientId,
      oauthClientSecret: confidentialClient.clientSecret,
      refreshTokenFile,
    });
    const { value } = await source.token();
    rmSync(refreshTokenFile);
    source.refused(value);
    await expect(source.token()).rejects.toMatchObject({
      code: 'CREDENTIALS_MISSING',
      message: expect.stringContaining(`the file ${refreshTokenFile} cannot be read (ENOENT)`),
    });
    // The file may come back, and with it the person.
    writeFileSync(refreshTokenFile, refreshToken);
    await source.token();
    expect(heard.codes()).toEqual(['TOKEN_REFRESHED', 'CREDENTIALS_MISSING', 'TOKEN_REFRESHED']);
    expect(heard.events.map(({ detail }) => detail['from'])).toEqual(['file', undefined, 'file']);
  });

  it('does not make an app sign in as the person of the token store, and says so once', async () => {
    const { refreshToken, subject } = await globus.signIn();
    const env = { DIASPORA_USER_DIR: temporaryDirectory() };
    await new TokenStore({
      issuer: globus.issuer,
      oauthClientId: nativeAppClientId,
      isService: false,
      env,
    }).write({
      resource_server: eventService,
      identity_id: subject,
      scope: '',
      access_token: '',
      refresh_token: refreshToken,
      expires_at_seconds: 0,
      token_type: 'Bearer',
    });
    const refreshTokenFile = '/run/secrets/no-such-file';
    const { source, heard } = sourceOf(globus, { refreshTokenFile }, { env });
    for (let call = 0; call < 2; call += 1) {
      await expect(source.token()).rejects.toMatchObject({ code: 'CREDENTIALS_MISSING' });
    }
    expect(heard.codes()).toEqual(['CREDENTIALS_MISSING']);
    expect(heard.events[0]?.message).toContain(`the file ${refreshTokenFile} cannot be read`);
  });

  it.each([
    ['is empty', (path: string) => writeFileSync(path, '\n'), 'it is empty'],
    ['is a FIFO', (path: string) => execFileSync('mkfifo', [path]), 'it is no regular file'],
    [
      'is much too large',
      (path: string) => writeFileSync(path, 'x'.repeat(65 * 1024)),
      'it is larger than 64 KiB',
    ],
  ])('because it %s is told by name', async (_what, make, why) => {
    const refreshTokenFile = join(temporaryDirectory(), 'refresh');
    make(refreshTokenFile);
    const { source } = sourceOf(globus, { refreshTokenFile });
    await expect(source.token()).rejects.toMatchObject({
      code: 'CREDENTIALS_MISSING',
      message: expect.stringContaining(`the file ${refreshTokenFile} cannot be read (${why})`),
    });
  });

  it('because its mount does not answer is given up, and read when it does', async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'refresh');
    writeFileSync(path, 'token\n');
    // Every thread that could read files waits for somebody who writes to a FIFO.
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
    const stuck = Array.from({ length: threads }, () => open(fifo));
    const file = new TokenFile(path, 50);
    try {
      await expect(file.read()).rejects.toThrow('no answer within 50 ms');
      await expect(file.read()).rejects.toThrow('no answer within 50 ms');
    } finally {
      const writer = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
      for (const handle of await Promise.all(stuck)) await handle.close();
      closeSync(writer);
    }
    expect(await new TokenFile(path).read()).toBe('token');
  });
});

describe('a refresh token', () => {
  it('in a file is found after the app changed its working directory', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'refresh'), 'token');
    const before = process.cwd();
    process.chdir(directory);
    const file = new TokenFile('refresh');
    process.chdir(before);
    expect(await file.read()).toBe('token');
  });

  it('is sent without the line end that it was given with', async () => {
    const { refreshToken } = await globus.signIn();
    await sourceOf(globus, { refreshToken: `${refreshToken}\n` }).source.token();
  });
});
