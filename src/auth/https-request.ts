/** One request to an HTTP service, such as Globus Auth's: deadline, proxy, size limit, and failures that can be shown. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { within } from '../deadline.ts';
import { systemErrorCode } from '../errors.ts';
import type { Environment } from '../options.ts';
import { agentFor } from './connections.ts';
import { proxyFor } from './proxy.ts';
import { describeFailure, type Failure, unavailable } from './token-failure.ts';

export interface HttpsRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds that all of it may take, the answer's body included. */
  readonly timeoutMs: number;
  /** An answer's body that is longer is a failure. */
  readonly answerMaxBytes: number;
  /** For the proxy. */
  readonly env: Environment;
  /** Ends the request. */
  readonly signal?: AbortSignal;
}

/** A whole answer, whatever its status. Redirects are not followed: they are answers. */
export interface HttpsAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** There was no whole answer. Holds nothing of the request. */
export class UnansweredRequest extends Error {
  override readonly name = 'UnansweredRequest';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.reason);
    this.failure = failure;
  }
}

/**
 * Sends a request on a connection of its own, and keeps no process alive meanwhile. Throws
 * `UnansweredRequest`, and `ConfigurationError` for a proxy in the environment that cannot be used.
 */
export async function sendRequest(request: HttpsRequest): Promise<HttpsAnswer> {
  const { url, env, timeoutMs, signal } = request;
  const agent = agentFor(url, proxyFor(url, env));
  try {
    return await within(exchange(request, agent), {
      timeoutMs,
      late: () => new UnansweredRequest(unavailable(`no answer within ${timeoutMs} ms`)),
      aborted: () => new UnansweredRequest({ ...unavailable('closed meanwhile'), passing: false }),
      ...(signal && { signal }),
    });
  } catch (error) {
    throw error instanceof UnansweredRequest ? error : new UnansweredRequest(describe(error));
  } finally {
    // Ends the connection, also one that a proxy has not answered: an aborted request would wait for it.
    agent.destroy();
  }
}

/** Node's codes for a certificate that it does not trust (https://nodejs.org/api/tls.html#x509-certificate-error-codes). */
const certificateCode =
  /^(CERT_|ERR_TLS_CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/;

function describe(error: unknown): Failure {
  const failure = describeFailure(error);
  const code = systemErrorCode(error) ?? '';
  if (!certificateCode.test(code)) return failure;
  const reason = `its certificate is not trusted (${code}); certificates of your own go into NODE_EXTRA_CA_CERTS`;
  return { ...failure, reason, passing: false, mayBeServed: false };
}

function exchange(
  { method, url, headers, body, answerMaxBytes }: HttpsRequest,
  agent: ReturnType<typeof agentFor>,
): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(url, { method, headers: { ...headers }, agent }, (response) => {
      readShort(response, answerMaxBytes).then(
        (text) =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        reject,
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function readShort(stream: Readable, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > maxBytes) {
      const reason = `an answer of more than ${Math.floor(maxBytes / 1024)} KiB`;
      throw new UnansweredRequest({ ...unavailable(reason), passing: false });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
