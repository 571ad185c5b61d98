import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventService } from '../../../src/auth/globus-service.ts';
import { type StoredTokens, TokenStore } from '../../../src/auth/token-store.ts';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { nativeAppClientId } from '../../../stack/globus-facts.ts';
import { reply, scriptedEndpoint } from './scripted-endpoint.ts';
import { sourceOf, temporaryDirectory } from './signed-in.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterEach(() => globus.reset());
afterAll(() => globus.stop());

const storeAt = (home: string, issuer: string = globus.issuer): TokenStore =>
  new TokenStore({
    issuer,
    oauthClientId: nativeAppClientId,
    isService: false,
    env: { DIASPORA_USER_DIR: home },
  });

const row = (refreshToken: string): StoredTokens => ({
  resource_server: eventService,
  identity_id: 'somebody',
  scope: 'action_all',
  access_token: 'access',
  refresh_token: refreshToken,
  expires_at_seconds: 1_700_000_000,
  token_type: 'Bearer',
});

/** Who an access token is for, as a broker sees it. */
async function usernameOf({ value }: { value: string }): Promise<unknown> {
  const { clientId, clientSecret } = globus.resourceServer;
  const answer = await fetch(globus.introspectionUrl, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
    body: new URLSearchParams({ token: value }),
  });
  return Object(await answer.json()).username;
}

/** A person's refresh token that was given by the environment. */
async function fromEnvironment(username: string) {
  const { refreshToken } = await globus.signIn(username);
  return { refreshToken, refreshTokenFrom: 'environment' as const };
}

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
    const row = await storeAt(env.DIASPORA_USER_DIR).readReplacement(refreshToken);
    expect(row?.refresh_token).toMatch(/^[\w-]{43}$/);
    expect(row?.refresh_token).not.toBe(refreshToken);
    first.source.close();

    // The old one is not even sent: at a server that watches for repeats that would end the new one too.
    const second = sourceOf(globus, auth, { env });
    await second.source.token();
    expect(second.heard.codes()).toEqual(['TOKEN_REFRESHED']);
    expect(second.heard.events[0]?.detail['from']).toBe('store');
  });

  it('stays the own one of each identity that shares a home directory', async () => {
    const ann = await fromEnvironment('ann@example.org');
    const bob = await fromEnvironment('bob@example.org');
    await globus.set({ rotateRefreshTokens: true });
    const env = { DIASPORA_USER_DIR: temporaryDirectory() };
    // Rotated at the start, and again after each of two restarts.
    for (let start = 0; start < 3; start += 1) {
      for (const [auth, username] of [
        [ann, 'ann@example.org'],
        [bob, 'bob@example.org'],
      ] as const) {
        const { source, heard } = sourceOf(globus, auth, { env });
        expect(await usernameOf(await source.token())).toBe(username);
        expect(heard.codes()).toEqual(['TOKEN_ROTATED', 'TOKEN_REFRESHED']);
        source.close();
      }
    }
  });

  it("does not take the place of a person's own sign-in", async () => {
    const app = await fromEnvironment('app@example.org');
    await globus.set({ rotateRefreshTokens: true });
    const { source, home } = sourceOf(globus, app);
    await storeAt(home).write(row("the person's"));
    await source.token();
    expect(await storeAt(home).read(eventService)).toEqual(row("the person's"));
  });

  it("that is the store's own as well is replaced there, too", async () => {
    const ann = await fromEnvironment('ann@example.org');
    const home = temporaryDirectory();
    const store = storeAt(home);
    await store.write(row(ann.refreshToken));
    await globus.set({ rotateRefreshTokens: true });
    const { source } = sourceOf(globus, ann, { env: { DIASPORA_USER_DIR: home } });
    // Once from the environment, and once more from where its replacement is.
    for (let times = 0; times < 2; times += 1) {
      const { value } = await source.token();
      const kept = await store.read(eventService);
      expect(kept).toMatchObject({ identity_id: 'somebody', access_token: value });
      expect(kept?.refresh_token).not.toBe(ann.refreshToken);
      expect(kept?.refresh_token).toBe(
        (await store.readReplacement(ann.refreshToken))?.refresh_token,
      );
      expect(store.standsFor(ann.refreshToken, kept?.refresh_token ?? null)).toBe(true);
      source.refused(value);
    }
    expect(store.standsFor(ann.refreshToken, "somebody else's")).toBe(false);
    // As the Python SDK, which knows nothing of the environment.
    const other = sourceOf(globus, {}, { env: { DIASPORA_USER_DIR: home } });
    expect(await usernameOf(await other.source.token())).toBe('ann@example.org');
  });

  it('that came from the token store goes back there', async () => {
    const { refreshToken } = await globus.signIn('ann@example.org');
    await globus.set({ rotateRefreshTokens: true });
    const { source, home } = sourceOf(globus, {});
    await storeAt(home).write(row(refreshToken));
    const { value } = await source.token();
    const kept = await storeAt(home).read(eventService);
    expect(kept).toMatchObject({ identity_id: 'somebody', access_token: value });
    expect(kept?.refresh_token).not.toBe(refreshToken);
    // Nothing beside it.
    expect(readdirSync(home)).toEqual(['storage.db']);
    await sourceOf(globus, {}, { env: { DIASPORA_USER_DIR: home } }).source.token();
  });

  it('does not overwrite what somebody put into the file meanwhile', async () => {
    const refreshTokenFile = join(temporaryDirectory(), 'refresh');
    writeFileSync(refreshTokenFile, 'first\n');
    const { issuer, sent } = await scriptedEndpoint((token) => {
      if (token === 'first') writeFileSync(refreshTokenFile, "the operator's\n");
      return reply(token === 'first' ? { refresh_token: 'second' } : {});
    });
    const { source, heard } = sourceOf(globus, { issuer, refreshTokenFile });
    source.refused((await source.token()).value);
    await source.token();
    expect(readFileSync(refreshTokenFile, 'utf8')).toBe("the operator's\n");
    expect(sent).toEqual(['first', "the operator's"]);
    expect(heard.events[0]).toMatchObject({
      code: 'TOKEN_ROTATED',
      message: expect.stringContaining('another one was put into the file meanwhile'),
      detail: { from: 'file', keptIn: null },
    });
  });

  it('does not overwrite a sign-in that was saved meanwhile', async () => {
    const home = temporaryDirectory();
    const { issuer } = await scriptedEndpoint(async () => {
      await storeAt(home, issuer).write(row('saved meanwhile'));
      return reply({ refresh_token: 'second' });
    });
    await storeAt(home, issuer).write(row('first'));
    const { source } = sourceOf(globus, { issuer }, { env: { DIASPORA_USER_DIR: home } });
    await source.token();
    expect(await storeAt(home, issuer).read(eventService)).toEqual(row('saved meanwhile'));
  });

  it('is kept though the reply has no token of the event service', async () => {
    const refreshTokenFile = join(temporaryDirectory(), 'refresh');
    writeFileSync(refreshTokenFile, 'first\n');
    const { issuer } = await scriptedEndpoint(() =>
      reply({ resource_server: 'transfer.api.globus.org', refresh_token: 'second' }),
    );
    const { source } = sourceOf(globus, { issuer, refreshTokenFile });
    await expect(source.token()).rejects.toMatchObject({ code: 'TOKEN_REQUEST_REFUSED' });
    expect(readFileSync(refreshTokenFile, 'utf8')).toBe('second\n');
  });

  it.each([
    { beside: 'alone', more: {} },
    {
      beside: 'beside tokens of another service',
      more: { other_tokens: [reply({ resource_server: 'transfer.api.globus.org' })] },
    },
  ])('is kept though the access token came damaged, $beside, and used next', async ({ more }) => {
    const refreshTokenFile = join(temporaryDirectory(), 'refresh');
    writeFileSync(refreshTokenFile, 'first\n');
    const { issuer, sent } = await scriptedEndpoint((token) =>
      token === 'first'
        ? reply({ access_token: 'dam\u00e4ged', refresh_token: 'second', ...more })
        : reply(),
    );
    const { source, heard } = sourceOf(globus, { issuer, refreshTokenFile });
    await expect(source.token()).rejects.toMatchObject({
      code: 'TOKEN_ENDPOINT_UNAVAILABLE',
      message: `Globus Auth at ${issuer} gives no token: its answer came damaged.`,
      retriable: true,
    });
    expect(readFileSync(refreshTokenFile, 'utf8')).toBe('second\n');
    expect(heard.codes()).toEqual(['TOKEN_ROTATED', 'TOKEN_ENDPOINT_UNAVAILABLE']);
    expect((await source.token()).value).toBe('access');
    expect(sent).toEqual(['first', 'second']);
  });

  it('is not sent again where the store that holds its replacement cannot be read', async () => {
    const { issuer, sent } = await scriptedEndpoint(() => reply({ refresh_token: 'second' }));
    const first = sourceOf(globus, { issuer, refreshToken: 'first' });
    await first.source.token();
    first.source.close();
    writeFileSync(join(first.home, 'storage.db'), 'this is no database '.repeat(100));
    const env = { DIASPORA_USER_DIR: first.home };
    const { source } = sourceOf(globus, { issuer, refreshToken: 'first' }, { env });
    await expect(source.token()).rejects.toMatchObject({
      code: 'CREDENTIALS_MISSING',
      message: expect.stringContaining(
        `the token store ${join(first.home, 'storage.db')} cannot be read (file is not a database)`,
      ),
    });
    expect(sent).toEqual(['first']);
  });

  it('is tried though a crash kept its replacement from being written down', async () => {
    const { issuer, sent } = await scriptedEndpoint(() => null);
    const { source, home } = sourceOf(globus, { issuer, refreshToken: 'first' });
    await storeAt(home, issuer).updateReplacement('first', () => null);
    await expect(source.token()).rejects.toMatchObject({ code: 'REFRESH_TOKEN_INVALID' });
    expect(sent).toEqual(['first']);
  });

  it('is still known in this process after the store could not be written', async () => {
    const inTheWay = join(temporaryDirectory(), 'home');
    writeFileSync(inTheWay, '');
    const { issuer, sent } = await scriptedEndpoint((token) =>
      reply({ refresh_token: `${token}+` }),
    );
    const env = { DIASPORA_USER_DIR: inTheWay };
    const { source, heard } = sourceOf(globus, { issuer, refreshToken: 'first' }, { env });
    source.refused((await source.token()).value);
    rmSync(inTheWay);
    await source.token();
    expect(sent).toEqual(['first', 'first+']);
    expect(heard.events.filter(({ code }) => code === 'TOKEN_ROTATED')).toMatchObject([
      { detail: { keptIn: null } },
      { detail: { keptIn: 'store' } },
    ]);
    const kept = await storeAt(inTheWay, issuer).readReplacement('first');
    expect(kept?.refresh_token).toBe('first++');
  });

  it.each(['file', 'environment'])(
    'of the %s that another process is writing down raises no alarm',
    async (place) => {
      const refreshTokenFile = join(temporaryDirectory(), 'refresh');
      writeFileSync(refreshTokenFile, 'first\n');
      let isUsed: () => void = () => {};
      const used = new Promise<void>((resolve) => {
        isUsed = resolve;
      });
      let isRefused: () => void = () => {};
      const refused = new Promise<void>((resolve) => {
        isRefused = resolve;
      });
      const tokens = ['first'];
      const { issuer, sent } = await scriptedEndpoint(async (token) => {
        if (token === 'second') return reply();
        if (!tokens.includes(token)) {
          isRefused();
          return null;
        }
        tokens.pop();
        isUsed();
        await refused;
        return reply({ refresh_token: 'second' });
      });
      const auth =
        place === 'file'
          ? { issuer, refreshTokenFile }
          : { issuer, refreshToken: 'first', refreshTokenFrom: 'environment' as const };
      const home = temporaryDirectory();
      // The same directory by another name: sources of one name share their requests.
      const link = join(temporaryDirectory(), 'home');
      symlinkSync(home, link);
      const winner = sourceOf(globus, auth, { env: { DIASPORA_USER_DIR: home } });
      const loser = sourceOf(globus, auth, { env: { DIASPORA_USER_DIR: link } });
      const won = winner.source.token();
      await used;
      await loser.source.token();
      await won;
      expect(sent).toEqual(['first', 'first', 'second']);
      expect(loser.heard.codes()).toEqual(['TOKEN_REFRESHED']);
    },
  );

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
  it.each([
    ['is no database', (path: string) => writeFileSync(path, 'x'.repeat(2_000)), 'not a database'],
    ['leads nowhere', (path: string) => symlinkSync(path, path), 'ELOOP'],
  ])('that %s is named where there is no other token', async (_what, make, why) => {
    const { source, heard, home } = sourceOf(globus, {});
    make(join(home, 'storage.db'));
    await expect(source.token()).rejects.toMatchObject({ code: 'CREDENTIALS_MISSING' });
    expect(heard.codes()).toEqual(['CREDENTIALS_MISSING']);
    expect(heard.events[0]?.message).toContain(
      `the token store ${join(home, 'storage.db')} cannot be read (`,
    );
    expect(heard.events[0]?.message).toContain(why);
  });

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
