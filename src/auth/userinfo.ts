/** Asks Globus Auth who a token belongs to. */
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { text } from 'node:stream/consumers';
import { HttpsProxyAgent } from 'https-proxy-agent';
import type { Environment } from '../options.ts';
import { userinfoPath } from './globus-service.ts';
import { proxyFor } from './proxy.ts';

/** Subject of an access token with the scope `openid`; null where Globus Auth does not say, for whatever reason. */
export async function askUserinfo(
  issuer: string,
  accessToken: string,
  { env, timeoutMs }: { readonly env: Environment; readonly timeoutMs: number },
): Promise<string | null> {
  const url = new URL(userinfoPath, issuer);
  const proxy = proxyFor(url, env);
  try {
    const body = await new Promise<string>((resolve, reject) => {
      const get = url.protocol === 'https:' ? httpsGet : httpGet;
      const request = get(
        url,
        {
          headers: { authorization: `Bearer ${accessToken}`, accept: 'application/json' },
          signal: AbortSignal.timeout(timeoutMs),
          ...(proxy && { agent: new HttpsProxyAgent(proxy.href) }),
        },
        (response) => {
          if (response.statusCode === 200) text(response).then(resolve, reject);
          else response.resume().once('close', () => reject(new Error('refused')));
        },
      );
      request.once('error', reject);
    });
    const claims: unknown = JSON.parse(body);
    const subject = Object(claims).sub;
    return typeof subject === 'string' ? subject : null;
  } catch {
    return null;
  }
}
