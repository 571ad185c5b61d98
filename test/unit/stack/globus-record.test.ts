import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { digestOf, type Globus, type SeenRequest, startGlobus } from '../../../stack/globus.ts';
import { nativeAppClientId } from '../../../stack/globus-facts.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterEach(() => globus.reset());
afterAll(() => globus.stop());

/** Sends what a client sends to renew its access token. */
function refresh(refreshToken: string, signal: AbortSignal | null = null): Promise<Response> {
  return fetch(globus.tokenUrl, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      client_id: nativeAppClientId,
    }),
    signal,
  });
}

async function tokenRequests(
  isAwaited: (seen: readonly SeenRequest[]) => boolean,
): Promise<readonly SeenRequest[]> {
  for (;;) {
    const seen = await globus.requests('token');
    if (isAwaited(seen)) return seen;
  }
}

describe('The record of the Globus stand-in tells of a token request', () => {
  it('whose refresh token it showed, when it began and ended, and what was answered', async () => {
    const { refreshToken } = await globus.signIn();
    const before = Date.now();
    await globus.reset();
    const reply: unknown = await (await refresh(refreshToken)).json();
    expect(reply).toMatchObject({ expires_in: 172_800 });
    const [seen] = await tokenRequests(([first]) => first !== undefined && first.until !== null);
    expect(seen).toMatchObject({ status: 200, refreshToken: digestOf(refreshToken) });
    expect(seen?.at).toBeGreaterThanOrEqual(before);
    expect(seen?.until).toBeGreaterThanOrEqual(Number(seen?.at));
    expect(JSON.stringify(seen)).not.toContain(refreshToken);
  });

  it('the same of one that meets a fault', async () => {
    const { refreshToken } = await globus.signIn();
    await globus.reset();
    await globus.failTokens({ kind: 'status', status: 429, retryAfter: '1' });
    expect((await refresh(refreshToken)).status).toBe(429);
    const [seen] = await tokenRequests(([first]) => first !== undefined && first.until !== null);
    expect(seen).toMatchObject({ status: 429, refreshToken: digestOf(refreshToken) });
  });

  it('that nobody answered it, once whoever asked has hung up', async () => {
    const { refreshToken } = await globus.signIn();
    await globus.reset();
    await globus.failTokens({ kind: 'hang' });
    const hungUp = new AbortController();
    const asked = expect(refresh(refreshToken, hungUp.signal)).rejects.toThrow();
    const [open] = await tokenRequests(([first]) => first?.refreshToken != null);
    expect(open).toMatchObject({ until: null, status: null });
    hungUp.abort();
    await asked;
    const [seen] = await tokenRequests(([first]) => first !== undefined && first.until !== null);
    expect(seen).toMatchObject({ status: null, refreshToken: digestOf(refreshToken) });
  });
});
