import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { revokeToken } from '../../../src/auth/revoke.ts';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { confidentialClient, nativeAppClientId } from '../../../stack/globus-facts.ts';
import { httpAnswer, RawServer } from './raw-server.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterAll(() => globus.stop());

const basics = { oauthClientId: nativeAppClientId, timeoutMs: 5_000, env: {} };

/** Whether Globus Auth still takes it. */
async function buysTokens(refreshToken: string): Promise<boolean> {
  const reply = await fetch(globus.tokenUrl, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      client_id: nativeAppClientId,
    }),
  });
  return reply.ok;
}

describe('revoking', () => {
  it('ends a refresh token, once and for all', async () => {
    const { refreshToken } = await globus.signIn();
    expect(await buysTokens(refreshToken)).toBe(true);
    await revokeToken(refreshToken, { ...basics, issuer: globus.issuer });
    expect(await buysTokens(refreshToken)).toBe(false);
    // One that has ended is no error, nor one that never was.
    await revokeToken(refreshToken, { ...basics, issuer: globus.issuer });
    await revokeToken('never-was', { ...basics, issuer: globus.issuer });
  });

  it('shows who asks: a confidential client by its secret, with all that it holds', async () => {
    const { clientId: oauthClientId, clientSecret: oauthClientSecret } = confidentialClient;
    const { refreshToken } = await globus.signIn(undefined, 'confidential');
    const options = { ...basics, oauthClientId, issuer: globus.issuer };
    await expect(
      revokeToken(refreshToken, { ...options, oauthClientSecret: 'wrong' }),
    ).rejects.toMatchObject({
      code: 'TOKEN_REQUEST_REFUSED',
      retriable: false,
      message: expect.not.stringContaining(refreshToken),
    });
    await revokeToken(refreshToken, { ...options, oauthClientSecret });
  });

  it('is tried again where Globus Auth is not well, and given up with the reason', async () => {
    const server = await RawServer.start((socket) => {
      const status = server.sockets.length > 2 ? 200 : 503;
      socket.write(httpAnswer(status, '', { 'retry-after': '0' }));
    });
    await revokeToken('token', { ...basics, issuer: server.url });
    expect(server.asked).toHaveLength(3);
    const down = revokeToken('a-secret-token', { ...basics, issuer: 'http://127.0.0.1:9' });
    await expect(down).rejects.toMatchObject({
      code: 'TOKEN_ENDPOINT_UNAVAILABLE',
      retriable: true,
      message: expect.stringMatching(
        /has not ended the token: ECONNREFUSED, the last of 4 requests/,
      ),
    });
    await expect(down).rejects.not.toThrow(/a-secret-token/);
  });
});
