import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { sourceOf, temporaryDirectory } from './signed-in.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterAll(() => globus.stop());

/** A source whose refresh token stands in a file, with its first access token, which lasts so many seconds. */
async function sourceWithFile(accessTokenTtl: number) {
  await globus.set({ accessTokenTtl });
  const { refreshToken } = await globus.signIn();
  const refreshTokenFile = join(temporaryDirectory(), 'refresh-token');
  writeFileSync(refreshTokenFile, refreshToken);
  const { source, heard } = sourceOf(globus, { refreshTokenFile });
  await source.token();
  return { source, heard, refreshToken, refreshTokenFile };
}

const polled = { timeout: 10_000, interval: 20 };

describe('What keeps a new token away while the last one serves is said at once, and again when that has ended', () => {
  it('where the refresh token is refused', async () => {
    // The file is looked at for half a second more, and the token must outlast that.
    const { source, heard, refreshToken } = await sourceWithFile(8);
    await globus.revoke(refreshToken);
    await heard.until('REFRESH_TOKEN_INVALID');
    await expect(source.token()).resolves.toBeDefined();
    await expect
      .poll(() => source.token().then(() => 'a token', String), polled)
      .toContain('no longer good');
    const before = heard.count('REFRESH_TOKEN_INVALID');
    await expect
      .poll(
        () =>
          source.token().then(
            () => before,
            () => heard.count('REFRESH_TOKEN_INVALID'),
          ),
        polled,
      )
      .toBe(before + 1);
    expect(new Set(heard.codes())).toEqual(new Set(['TOKEN_REFRESHED', 'REFRESH_TOKEN_INVALID']));
  });

  it('where the file is gone', async () => {
    const { source, heard, refreshTokenFile } = await sourceWithFile(2);
    rmSync(refreshTokenFile);
    await heard.until('CREDENTIALS_MISSING');
    await expect(source.token()).resolves.toBeDefined();
    await expect
      .poll(() => source.token().then(() => 'a token', String), polled)
      .toContain('cannot be read');
    const before = heard.count('CREDENTIALS_MISSING');
    await expect
      .poll(
        () =>
          source.token().then(
            () => before,
            () => heard.count('CREDENTIALS_MISSING'),
          ),
        polled,
      )
      .toBe(before + 1);
    expect(new Set(heard.codes())).toEqual(new Set(['TOKEN_REFRESHED', 'CREDENTIALS_MISSING']));
  });
});
