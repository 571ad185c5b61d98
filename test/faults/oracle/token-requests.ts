/** How an app has asked for tokens, by the record of the Globus stand-in. */
import type { Globus, SeenRequest } from '../../../stack/globus.ts';

export interface TokenRequests {
  readonly count: number;
  /** Most that were under way at a time. */
  readonly mostAtOnce: number;
  /** Of all requests after a good token the earliest: the share of that token's life that was over. Infinity where there is none. */
  readonly earliestRenewal: number;
}

export interface AskedOptions {
  /** Digest of the app's refresh token. */
  readonly refreshToken: string;
  /** Life of the access tokens, in seconds. */
  readonly tokenLife: number;
}

export async function tokenRequests(
  globus: Globus,
  { refreshToken, tokenLife }: AskedOptions,
): Promise<TokenRequests> {
  const all = await requestsOf(globus, refreshToken);
  const atOnce = all.map(({ at }) => all.filter((other) => isUnderWay(other, at)).length);
  const renewals = all.map((request, i) => {
    const good = all.slice(0, i).findLast(({ status }) => status === 200);
    return good ? (request.at - good.at) / (tokenLife * 1000) : Number.POSITIVE_INFINITY;
  });
  return {
    count: all.length,
    mostAtOnce: Math.max(0, ...atOnce),
    earliestRenewal: Math.min(Number.POSITIVE_INFINITY, ...renewals),
  };
}

/** In order. `refreshToken` is a digest. */
export async function requestsOf(
  globus: Globus,
  refreshToken: string,
): Promise<readonly SeenRequest[]> {
  const all = await globus.requests('token');
  return all.filter((request) => request.refreshToken === refreshToken);
}

function isUnderWay({ at, until }: SeenRequest, time: number): boolean {
  return at <= time && (until === null || until > time);
}
