/** Asks Globus Auth who a token belongs to. */
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import type { Readable } from 'node:stream';
import { deadline } from '../deadline.ts';
import type { Environment } from '../options.ts';
import { agentFor } from './connections.ts';
import { userinfoPath } from './globus-service.ts';
import { proxyFor } from './proxy.ts';
import { waitedFor } from './waited-for.ts';

/** An answer has some hundred bytes. */
const answerMaxBytes = 64 * 1024;

/** Subject of an access token with the scope `openid`; null where Globus Auth does not say, for whatever reason. */
export async function askUserinfo(
  issuer: string,
  accessToken: string,
  { env, timeoutMs }: { readonly env: Environment; readonly timeoutMs: number },
): Promise<string | null> {
  const url = new URL(userinfoPath, issuer);
  const agent = agentFor(url, proxyFor(url, env));
  // Ends the connection, also one that a proxy has not answered: an aborted request would wait for it.
  const stop = deadline(timeoutMs, () => agent.destroy());
  try {
    const body = await waitedFor(
      new Promise<string>((resolve, reject) => {
        const get = url.protocol === 'https:' ? httpsGet : httpGet;
        const headers = { authorization: `Bearer ${accessToken}`, accept: 'application/json' };
        get(url, { headers, agent }, (response) => {
          if (response.statusCode === 200) readShort(response).then(resolve, reject);
          else reject(new Error('refused'));
        }).on('error', reject);
      }),
    );
    const claims: unknown = JSON.parse(body);
    const subject = Object(claims).sub;
    return typeof subject === 'string' ? subject : null;
  } catch {
    return null;
  } finally {
    stop();
    agent.destroy();
  }
}

async function readShort(stream: Readable): Promise<string> {
  let body = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    body += chunk;
    if (body.length > answerMaxBytes) throw new Error('too long');
  }
  return body;
}
