import { describe, expect, it, onTestFinished } from 'vitest';
import { readTokenReply } from '../../../src/auth/token-reply.ts';
import { createTokenSource } from '../../../src/auth/token-source.ts';
import { httpAnswer, RawServer } from './raw-server.ts';
import { reply } from './scripted-endpoint.ts';
import { temporaryDirectory } from './signed-in.ts';

describe('a token reply', () => {
  it.each(['a\u0001b', 'a\ufffdb', 'a b', 'a\nb', '\u007f', ''])(
    'has no token in %j, and the refresh token that there was stays in use',
    (damaged) => {
      expect(readTokenReply(reply({ access_token: damaged }), 0)).toBeNull();
      expect(readTokenReply(reply({ refresh_token: damaged }), 0)?.tokens).toMatchObject([
        { accessToken: 'access', refreshToken: null },
      ]);
    },
  );

  it('keeps a new refresh token whose access token is damaged', () => {
    const damaged = reply({ access_token: 'dam\u00e4ged', refresh_token: 'new' });
    expect(readTokenReply(damaged, 0)?.tokens).toMatchObject([
      { accessToken: null, refreshToken: 'new' },
    ]);
  });

  it.each(['', 'null', '"text"', '5'])('that is %j is asked for again', async (body) => {
    const bodies = [body, JSON.stringify(reply())];
    const server = await RawServer.start((socket) => {
      socket.end(httpAnswer(200, bodies.shift() ?? ''));
    });
    const source = createTokenSource({
      auth: { type: 'globus', issuer: server.url, oauthClientId: 'app', refreshToken: 'refresh' },
      env: { DIASPORA_USER_DIR: temporaryDirectory() },
    });
    onTestFinished(() => source.close());
    expect((await source.token()).value).toBe('access');
    expect(server.asked).toHaveLength(2);
  });
});
