import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it, type Mock, onTestFinished, vi } from 'vitest';
import { lockFile } from '../../../src/auth/file-lock.ts';
import { TokenStore } from '../../../src/auth/token-store.ts';
import { nativeAppClientId } from '../../../src/options.ts';
import { whileMakingKeys } from '../../../src/services/key-lock.ts';
import { temporaryDirectory } from '../auth/signed-in.ts';

afterEach(() => void vi.restoreAllMocks());

/** A store whose keys another holder is making. */
async function heldStore(): Promise<{ store: TokenStore; release: () => Promise<void> }> {
  const env = { DIASPORA_USER_DIR: temporaryDirectory() };
  const path = join(env.DIASPORA_USER_DIR, 'service-key.lock');
  writeFileSync(path, '');
  const lock = await lockFile(path, { offset: 0, length: 1 }, 0);
  const issuer = 'https://auth.globus.org';
  onTestFinished(() => lock?.close());
  return {
    store: new TokenStore({ issuer, oauthClientId: nativeAppClientId, isService: false, env }),
    release: async () => lock?.close(),
  };
}

describe('the lock on making keys', () => {
  const made = async (): Promise<string> => 'made';
  /** It has looked at the clock since, and at the lock. */
  const looked = async (clock: Mock<() => number>): Promise<string> => {
    const seen = clock.mock.calls.length + 3;
    while (clock.mock.calls.length < seen) await new Promise(setImmediate);
    return 'looked';
  };

  it('is waited for', async () => {
    const { store, release } = await heldStore();
    const { signal } = new AbortController();
    const clock = vi.spyOn(performance, 'now');
    const waiting = whileMakingKeys({ store, requestTimeoutMs: 1_000, signal }, made);
    expect(await Promise.race([looked(clock), waiting])).toBe('looked');
    await release();
    expect(await waiting).toBe('made');
  });

  it('is waited for no longer than until close', async () => {
    const { store } = await heldStore();
    const closing = new AbortController();
    const { signal } = closing;
    const waiting = whileMakingKeys({ store, requestTimeoutMs: 600_000, signal }, made);
    closing.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AuthenticationError', code: 'CLOSED' });
  });

  it('is waited for as long as its holder may take for requests, and then can be tried again', async () => {
    let minutes = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => minutes * 60_000);
    const { store } = await heldStore();
    const { signal } = new AbortController();
    let failure: unknown = null;
    const waiting = whileMakingKeys({ store, requestTimeoutMs: 60_000, signal }, made);
    waiting.catch((error: unknown) => {
      failure = error;
    });
    await looked(clock);
    minutes = 13;
    await looked(clock);
    expect(failure).toBeNull();
    minutes = 14;
    await expect(waiting).rejects.toMatchObject({
      name: 'AuthenticationError',
      code: 'TOKEN_STORE_UNUSABLE',
      retriable: true,
      message: expect.stringContaining(join(store.directory ?? '', 'service-key.lock')),
    });
  });

  it('keeps no process alive that waits for it', async () => {
    const { store } = await heldStore();
    const urlOf = (path: string): string =>
      JSON.stringify(new URL(`../../../src/${path}`, import.meta.url).href);
    const program = `
      import { TokenStore } from ${urlOf('auth/token-store.ts')};
      import { whileMakingKeys } from ${urlOf('services/key-lock.ts')};
      const store = new TokenStore({ issuer: 'https://auth.globus.org', oauthClientId: 'me', isService: false });
      const { signal } = new AbortController();
      whileMakingKeys({ store, requestTimeoutMs: 600_000, signal }, async () => console.log('made'));
      process.stdin.once('end', () => console.log('ended')).resume();
    `;
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', program],
      { env: { PATH: process.env['PATH'], DIASPORA_USER_DIR: store.directory ?? '' } },
    );
    child.stdin.end();
    const [[code], out, seen] = await Promise.all([
      once(child, 'close'),
      text(child.stdout),
      text(child.stderr),
    ]);
    expect([code, out, seen]).toEqual([0, 'ended\n', '']);
  });
});
