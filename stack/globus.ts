/** A stand-in for Globus Auth on loopback: real OAuth by oidc-provider, Globus's paths and reply shapes, faults to switch on. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { confidentialClient, eventService, eventServiceSecret, paths } from './globus-facts.ts';
import { answerPage } from './globus-interactions.ts';
import { createProvider } from './globus-provider.ts';
import { approve, type SignedIn, signIn } from './globus-sign-in.ts';
import { GlobusStore } from './globus-store.ts';
import {
  digestOf,
  type SeenRequest,
  SwitchBoard,
  type Switches,
  type TokenFault,
} from './globus-switches.ts';
import { announceSecret } from './secrets.ts';

export type { SeenRequest, SignedIn, Switches, TokenFault };
export { digestOf };

/** The stand-in, as tests and the local stack use it. */
export interface Globus {
  /** `http://127.0.0.1:PORT` */
  readonly issuer: string;
  readonly tokenUrl: string;
  readonly introspectionUrl: string;
  /** What a broker introspects tokens with. */
  readonly resourceServer: { readonly clientId: string; readonly clientSecret: string };
  /** The whole PKCE flow over HTTP. Default user: `scientist@example.org`; any `name@domain` will do. */
  signIn(username?: string, client?: 'native' | 'confidential'): Promise<SignedIn>;
  /** What a person does with an authorize URL. Answers the URL of the page with the code, or with `error=access_denied`. */
  approve(authorizeUrl: string, username?: string, decision?: 'allow' | 'deny'): Promise<URL>;
  /** Changes switches; those not named stay as they are. */
  set(change: Partial<Switches>): Promise<void>;
  /** Short for `set({ tokenFault })`: null ends it. */
  failTokens(fault: TokenFault | null): Promise<void>;
  /** Ends one access or refresh token. False where it is not known. */
  revoke(token: string): Promise<boolean>;
  /** What was asked since the start or the last reset, in order; of one endpoint, or of all. */
  requests(endpoint?: SeenRequest['endpoint']): Promise<readonly SeenRequest[]>;
  /** Switches back to the start, the record emptied, hanging requests ended. Tokens stay good. */
  reset(): Promise<void>;
  /** Ends the stand-in, if it was started here. */
  stop(): Promise<void>;
}

/** Starts the stand-in in this process. `port` 0 takes a free one; `accessTokenTtl` in seconds, 48 h where left out. */
export async function startGlobus(
  options: { port?: number; accessTokenTtl?: number } = {},
): Promise<Globus> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port.');
  const issuer = `http://127.0.0.1:${address.port}`;
  announceSecret({ kind: 'a client secret', value: eventServiceSecret });
  announceSecret({ kind: 'a client secret', value: confidentialClient.clientSecret });
  const store = new GlobusStore();
  const board = new SwitchBoard(options.accessTokenTtl);
  const people = new Map<string, string>();
  const provider = await createProvider({ issuer, store, board, people });
  const answerProvider = provider.callback();

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url ?? '/', issuer);
    if (pathname.startsWith(`${paths.control}/`)) {
      await answerControl(pathname.slice(paths.control.length + 1), request, response);
      return;
    }
    board.record(pathname, request, response);
    if (pathname === paths.token && board.misbehave(request, response)) return;
    if (await answerPage(provider, people, request, response)) return;
    await answerProvider(request, response);
  };

  const answerControl = async (
    action: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    const given: unknown = request.method === 'POST' ? await json(request) : {};
    const body: Record<string, unknown> = { ...Object(given) };
    let reply: unknown = {};
    if (action === 'switches') board.set(body);
    else if (action === 'reset') board.reset();
    else if (action === 'revoke') reply = { revoked: store.revoke(String(body['token'])) };
    else if (action === 'requests') reply = board.requests;
    else response.statusCode = 404;
    response.setHeader('content-type', 'application/json').end(JSON.stringify(reply));
  };

  server.on('request', (request, response) => {
    answer(request, response).catch((error: unknown) => {
      // An interaction that has ended or was never begun: the page says so.
      if (!response.headersSent) response.writeHead(400, { 'content-type': 'text/plain' });
      response.end(error instanceof Error ? error.message : String(error));
    });
  });

  return {
    ...connectGlobus(issuer),
    async stop() {
      board.reset();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The same switches for a stand-in that runs in another process. */
export function connectGlobus(issuer: string): Globus {
  const control = async (action: string, body: object = {}): Promise<unknown> => {
    const response = await fetch(`${issuer}${paths.control}/${action}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`The Globus stand-in answered ${response.status}.`);
    return response.json();
  };
  const set = async (change: Partial<Switches>): Promise<void> => {
    await control('switches', change);
  };
  return {
    issuer,
    tokenUrl: issuer + paths.token,
    introspectionUrl: issuer + paths.introspect,
    resourceServer: { clientId: eventService, clientSecret: eventServiceSecret },
    signIn: (username = 'scientist@example.org', client = 'native') =>
      signIn(issuer, username, client),
    approve: (authorizeUrl, username = 'scientist@example.org', decision = 'allow') =>
      approve(authorizeUrl, username, decision),
    set,
    failTokens: (tokenFault) => set({ tokenFault }),
    async revoke(token) {
      const reply = await control('revoke', { token });
      return (
        typeof reply === 'object' && reply !== null && 'revoked' in reply && reply.revoked === true
      );
    },
    async requests(endpoint) {
      const reply = await control('requests');
      const seen = Array.isArray(reply) ? reply.filter(isSeenRequest) : [];
      return endpoint === undefined ? seen : seen.filter((one) => one.endpoint === endpoint);
    },
    async reset() {
      await control('reset');
    },
    async stop() {},
  };
}

function isSeenRequest(value: unknown): value is SeenRequest {
  const names = ['endpoint', 'at', 'until', 'status', 'refreshToken'];
  return typeof value === 'object' && value !== null && names.every((name) => name in value);
}
