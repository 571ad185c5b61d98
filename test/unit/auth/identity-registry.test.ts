import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTokenSource, type TokenSource } from '../../../src/auth/token-source.ts';
import { TokenStore } from '../../../src/auth/token-store.ts';
import type { Environment } from '../../../src/options.ts';
import { eventService, nativeAppClientId } from '../../../stack/globus-facts.ts';
import { reply, scriptedEndpoint } from './scripted-endpoint.ts';
import { temporaryDirectory } from './signed-in.ts';

function sourceOf(issuer: string, env: Environment, refreshToken?: string): TokenSource {
  const source = createTokenSource({
    auth: {
      type: 'globus',
      issuer,
      oauthClientId: nativeAppClientId,
      ...(refreshToken !== undefined && { refreshToken }),
    },
    env,
  });
  onTestFinished(() => source.close());
  return source;
}

describe('a source that is opened while the request of a closed one is under way', () => {
  it('waits for it, and asks with the refresh token that it brought', async () => {
    let answer = (): void => {};
    let arrived = (): void => {};
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    const { issuer, sent } = await scriptedEndpoint(async (refreshToken) => {
      if (refreshToken !== 'R1') return reply();
      arrived();
      await new Promise<void>((resolve) => (answer = resolve));
      return reply({ refresh_token: 'R2' });
    });
    const env = { DIASPORA_USER_DIR: temporaryDirectory() };
    const first = sourceOf(issuer, env, 'R1');
    const held = first.token();
    await arrival;
    first.close();
    const second = sourceOf(issuer, env, 'R1');
    const renewed = second.token();
    // One that comes and goes meanwhile changes nothing.
    second.close();
    const third = sourceOf(issuer, env, 'R1').token();
    const closed = expect(renewed).rejects.toMatchObject({ code: 'CLOSED' });
    expect(sent).toEqual(['R1']);
    answer();
    await closed;
    await Promise.all([held, third]);
    expect(sent).toEqual(['R1', 'R2']);
  });
});

it('a refresh token that is held in memory alone outlives its source', async () => {
  let good = 'R1';
  const { issuer } = await scriptedEndpoint((refreshToken) => {
    if (refreshToken !== good) return null;
    good = `${refreshToken}+`;
    return reply({ refresh_token: good });
  });
  const inTheWay = join(temporaryDirectory(), 'file');
  writeFileSync(inTheWay, '');
  const env = { DIASPORA_USER_DIR: inTheWay };
  for (let time = 0; time < 3; time += 1) {
    const source = sourceOf(issuer, env, 'R1');
    await source.token();
    source.close();
  }
  expect(good).toBe('R1+++');
});

it('sources with different token stores are different identities, whatever variable names the store', async () => {
  const { issuer, sent } = await scriptedEndpoint(() => reply());
  for (const refreshToken of ['of Ann', 'of Bob']) {
    const env = { USERPROFILE: temporaryDirectory() };
    await new TokenStore({ issuer, oauthClientId: nativeAppClientId, isService: false, env }).write(
      {
        resource_server: eventService,
        identity_id: null,
        scope: '',
        access_token: 'old',
        refresh_token: refreshToken,
        expires_at_seconds: 0,
        token_type: 'Bearer',
      },
    );
    await sourceOf(issuer, env).token();
  }
  expect(sent).toEqual(['of Ann', 'of Bob']);
});
