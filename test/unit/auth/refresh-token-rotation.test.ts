import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventService } from '../../../src/auth/globus-service.ts';
import { TokenStore } from '../../../src/auth/token-store.ts';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { nativeAppClientId } from '../../../stack/globus-facts.ts';
import { sourceOf, temporaryDirectory } from './signed-in.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterEach(() => globus.reset());
afterAll(() => globus.stop());

const storeAt = (home: string): TokenStore =>
  new TokenStore({
    issuer: globus.issuer,
    oauthClientId: nativeAppClientId,
    isService: false,
    env: { DIASPORA_USER_DIR: home },
  });

describe('a rotated refresh token', () => {
  it('that came from a file replaces it there, with its mode, also behind a link', async () => {
    const { refreshToken } = await globus.signIn();
    const directory = temporaryDirectory();
    const file = join(directory, 'refresh');
    writeFileSync(file, refreshToken);
    chmodSync(file, 0o640);
    const refreshTokenFile = join(directory, 'link');
    symlinkSync(file, refreshTokenFile);
    await globus.set({ rotateRefreshTokens: true });
    const { source, heard, home } = sourceOf(globus, { refreshTokenFile });
    await source.token();
    const kept = readFileSync(file, 'utf8').trim();
    expect(kept).not.toBe(refreshToken);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(heard.events.find(({ code }) => code === 'TOKEN_ROTATED')?.detail).toEqual({
      from: 'file',
      keptIn: 'file',
    });
    // A second process finds it, and it works.
    await sourceOf(
      globus,
      { refreshTokenFile },
      { env: { DIASPORA_USER_DIR: `${home}/b` } },
    ).source.token();
  });

  it('that came from the environment goes to the token store, is said once, and is used after a restart', async () => {
    const { refreshToken } = await globus.signIn();
    await globus.set({ rotateRefreshTokens: true });
    const env = { DIASPORA_USER_DIR: join(temporaryDirectory(), 'home') };
    const auth = { refreshToken, refreshTokenFrom: 'environment' as const };
    const first = sourceOf(globus, auth, { env });
    await first.source.token();
    await globus.set({ rotateRefreshTokens: false });
    expect(first.heard.count('TOKEN_ROTATED')).toBe(1);
    const row = await storeAt(env.DIASPORA_USER_DIR).read(eventService);
    expect(row?.refresh_token).not.toBe(refreshToken);
    first.source.close();

    // The old one is not even sent: at a server that watches for repeats that would end the new one too.
    const second = sourceOf(globus, auth, { env });
    await second.source.token();
    expect(second.heard.codes()).toEqual(['TOKEN_REFRESHED']);
    expect(second.heard.events[0]?.detail['from']).toBe('store');
  });

  it('is kept in the store where its file cannot be written', async () => {
    const { refreshToken } = await globus.signIn();
    await globus.set({ rotateRefreshTokens: true });
    const { source, heard } = sourceOf(globus, {
      refreshToken,
      // A directory can be neither read nor replaced as a file.
      refreshTokenFile: temporaryDirectory(),
    });
    await source.token();
    expect(heard.events.find(({ code }) => code === 'TOKEN_ROTATED')?.detail['keptIn']).toBe(
      'store',
    );
  });

  it('goes on in memory where nothing can be written, and says that', async () => {
    const { refreshToken } = await globus.signIn();
    await globus.set({ rotateRefreshTokens: true });
    const inTheWay = join(temporaryDirectory(), 'file');
    writeFileSync(inTheWay, '');
    const { source, heard } = sourceOf(
      globus,
      { refreshToken },
      { env: { DIASPORA_USER_DIR: inTheWay } },
    );
    const { value } = await source.token();
    source.refused(value);
    await source.token();
    const [first] = heard.events.filter(({ code }) => code === 'TOKEN_ROTATED');
    expect(first?.detail['keptIn']).toBeNull();
    expect(first?.message).toContain('lost at the end of this process');
  });
});

describe('the token store', () => {
  it('serves where nothing else is given, and takes the place of a dead token', async () => {
    const { refreshToken, subject } = await globus.signIn();
    const { source, heard, home } = sourceOf(globus, { refreshToken: 'dead' });
    await expect(source.token()).rejects.toMatchObject({ code: 'REFRESH_TOKEN_INVALID' });
    mkdirSync(home, { recursive: true });
    await storeAt(home).write({
      resource_server: eventService,
      identity_id: subject,
      scope: '',
      access_token: 'old',
      refresh_token: refreshToken,
      expires_at_seconds: 0,
      token_type: 'Bearer',
    });
    await source.token();
    expect(heard.events.at(-1)?.detail['from']).toBe('store');
    const { source: other } = sourceOf(globus, {}, { env: { DIASPORA_USER_DIR: home } });
    await other.token();
  });
});
