/** Faults that a test can switch on in the Globus stand-in, and the record of what was asked of it. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { accessTokenLife, paths } from './globus-facts.ts';

/** What the token endpoint does instead of answering. */
export interface TokenFault {
  /** Answer with this HTTP status, never answer, break the connection, or answer 200 with a page that is no JSON. */
  readonly kind: 'status' | 'hang' | 'disconnect' | 'garbage';
  /** HTTP status of `status`. Default 503. */
  readonly status?: number;
  /** Value of the header `Retry-After`, as sent. */
  readonly retryAfter?: string;
  /** OAuth error code of a 400 or 401. Default `invalid_grant`. */
  readonly error?: string;
  /** How many requests meet it. Default: every one, until told otherwise. */
  readonly times?: number;
}

/** What can be switched. */
export interface Switches {
  /** Seconds that access tokens made from now on are good for. */
  accessTokenTtl: number;
  /** A refresh answers with a new refresh token, and the one that was used ends. */
  rotateRefreshTokens: boolean;
  /** The event service's token comes first in a sign-in's reply, or among `other_tokens`. */
  eventServiceFirst: boolean;
  tokenFault: TokenFault | null;
}

/** One request that came in. */
export interface SeenRequest {
  readonly endpoint: keyof typeof paths;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** When it was answered, or whoever asked had hung up, in milliseconds since the epoch; null while it is under way. */
  readonly until: number | null;
  /** HTTP status of the answer; null where there was none. */
  readonly status: number | null;
  /** Whose refresh token it showed, by `digestOf`; null where it showed none. */
  readonly refreshToken: string | null;
}

/** Tells one refresh token from others, and nothing of it. */
export function digestOf(refreshToken: string): string {
  return createHash('sha256').update(refreshToken).digest('hex').slice(0, 16);
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

const defaultSwitches = (accessTokenTtl: number = accessTokenLife): Switches => ({
  accessTokenTtl,
  rotateRefreshTokens: false,
  eventServiceFirst: false,
  tokenFault: null,
});

const endpoints = Object.entries(paths).filter(([name]) => name !== 'control');

/** The switches' present state, and the record. */
export class SwitchBoard {
  readonly #initial: Switches;
  #switches: Switches;
  #faultsLeft = 0;
  #requests: SeenRequest[] = [];
  readonly #hanging = new Set<ServerResponse>();

  constructor(accessTokenTtl?: number) {
    this.#initial = defaultSwitches(accessTokenTtl);
    this.#switches = { ...this.#initial };
  }

  get switches(): Readonly<Switches> {
    return this.#switches;
  }

  get requests(): readonly SeenRequest[] {
    return this.#requests;
  }

  set(change: Partial<Switches>): void {
    this.#switches = { ...this.#switches, ...change };
    if (change.tokenFault !== undefined) {
      this.#faultsLeft = change.tokenFault?.times ?? Number.POSITIVE_INFINITY;
    }
  }

  /** Switches back to the start, forgets the record, and ends requests that hang. Tokens stay good. */
  reset(): void {
    this.#switches = { ...this.#initial };
    this.#requests = [];
    for (const response of this.#hanging) response.destroy();
    this.#hanging.clear();
  }

  record(path: string, request: IncomingMessage, response: ServerResponse): void {
    const endpoint = endpoints.find(([, known]) => path === known)?.[0];
    if (endpoint === undefined || !isEndpoint(endpoint)) return;
    const seen: Writable<SeenRequest> = {
      endpoint,
      at: Date.now(),
      until: null,
      status: null,
      refreshToken: null,
    };
    this.#requests.push(seen);
    if (endpoint === 'token') {
      const chunks: Buffer[] = [];
      // Paused: who serves the request reads it, and this sees what is read.
      request.on('data', (chunk: Buffer) => chunks.push(chunk)).pause();
      request.once('end', () => {
        const token = new URLSearchParams(Buffer.concat(chunks).toString()).get('refresh_token');
        if (token !== null) seen.refreshToken = digestOf(token);
      });
    }
    response.once('close', () => {
      seen.until = Date.now();
      if (response.writableFinished) seen.status = response.statusCode;
    });
  }

  /** Does what the token fault says. False where there is none to do. */
  misbehave(request: IncomingMessage, response: ServerResponse): boolean {
    const fault = this.#switches.tokenFault;
    if (!fault || this.#faultsLeft <= 0) return false;
    this.#faultsLeft -= 1;
    request.resume();
    switch (fault.kind) {
      case 'hang':
        this.#hanging.add(response);
        response.once('close', () => this.#hanging.delete(response));
        return true;
      case 'disconnect':
        response.destroy();
        return true;
      case 'garbage':
        response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Captive portal</h1>');
        return true;
      case 'status': {
        const status = fault.status ?? 503;
        response.writeHead(status, {
          'content-type': 'application/json',
          ...(fault.retryAfter !== undefined && { 'retry-after': fault.retryAfter }),
        });
        response.end(JSON.stringify(faultBody(status, fault.error)));
        return true;
      }
    }
  }
}

/** OAuth's error on the token endpoint, the shape of Globus's other APIs for the rest. */
function faultBody(status: number, error: string | undefined): object {
  if (status === 400 || status === 401) return { error: error ?? 'invalid_grant' };
  return {
    errors: [{ status, id: 'local', code: 'LOCAL_FAULT', title: 'Fault', detail: 'Switched on.' }],
  };
}

function isEndpoint(name: string): name is keyof typeof paths {
  return name in paths;
}
