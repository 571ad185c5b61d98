/** Connections to Globus Auth for one request: direct, or through a proxy. Whoever waits keeps the process alive (waited-for.ts), they do not. */
import { type ClientRequestArgs, Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import { isIPv6, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { proxyAuthorization } from './proxy.ts';

/** Makes the connections. `destroy()` ends them all, also one that has not been answered. */
export function agentFor(target: URL, proxy: URL | null): HttpAgent {
  if (target.protocol === 'http:') return new PlainAgent();
  return proxy === null ? new TlsAgent() : new ProxyAgent(proxy);
}

/** A proxy's own answer, which is not Globus's: it comes without TLS. */
export class ProxyRefusal extends Error {
  override readonly name = 'ProxyRefusal';
  /** Host and port, without user and password. */
  readonly proxy: string;
  readonly status: number;
  readonly retryAfter: string | undefined;

  constructor(proxy: string, status: number, retryAfter: string | undefined) {
    super(`The proxy ${proxy} answered CONNECT with HTTP ${status}.`);
    this.proxy = proxy;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

type Connected = (error: Error | null, stream: Duplex) => void;

class PlainAgent extends HttpAgent {
  /**
   * simple-oauth2 copies its options with all that they hold (Hoek's `clone`), and would connect by a
   * copy that nobody can destroy. What says this of itself is handed over as it is.
   */
  get isImmutable(): boolean {
    return true;
  }

  override createConnection(options: ClientRequestArgs): Duplex | null | undefined {
    return unreferenced(super.createConnection(options));
  }
}

class TlsAgent extends HttpsAgent {
  /** As that of `PlainAgent`. */
  get isImmutable(): boolean {
    return true;
  }

  override createConnection(
    options: RequestOptions,
    _connected?: Connected,
  ): Duplex | null | undefined {
    return unreferenced(super.createConnection(options));
  }
}

/**
 * TLS to Globus inside a tunnel that the proxy makes (RFC 9110 section 9.3.6). https-proxy-agent hands a
 * proxy's refusal on as if Globus had said it, and holds a finished process until the proxy answers.
 */
class ProxyAgent extends TlsAgent {
  readonly #proxy: URL;
  readonly #closing = new AbortController();

  constructor(proxy: URL) {
    super();
    this.#proxy = proxy;
  }

  override createConnection(options: RequestOptions, connected?: Connected): undefined {
    // Nobody looks at the stream, but the type wants one.
    const fail = (error: Error): void => connected?.(error, new Socket());
    const host = options.host ?? '';
    const servername = options.servername ?? host;
    const target = `${isIPv6(host) ? `[${host}]` : host}:${options.port}`;
    const { protocol, hostname, port } = this.#proxy;
    const authorization = proxyAuthorization(this.#proxy);
    const request = (protocol === 'https:' ? httpsRequest : httpRequest)({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port || (protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: target,
      headers: {
        host: target,
        ...(authorization !== null && { 'proxy-authorization': authorization }),
      },
      agent: false,
      signal: this.#closing.signal,
    });
    request.once('socket', unreferenced);
    request.once('error', fail);
    request.once('connect', ({ statusCode = 0, headers }, socket) => {
      if (statusCode === 200) {
        connected?.(null, connectTls({ socket, host, servername, ALPNProtocols: ['http/1.1'] }));
        return;
      }
      socket.destroy();
      fail(new ProxyRefusal(this.#proxy.host, statusCode, headers['retry-after']));
    });
    request.end();
  }

  override destroy(): void {
    this.#closing.abort();
    super.destroy();
  }
}

function unreferenced<T>(stream: T): T {
  if (stream instanceof Socket) stream.unref();
  return stream;
}
