/**
 * A small HTTP server that answers as the source of the public Diaspora service (v3) does, and as the Python SDK 0.0.19 expects of v1:
 * paths, statuses, field names and sentences. It checks tokens at the Globus stand-in, by introspection.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { Globus } from '../../../stack/globus.ts';

/** What is answered instead. */
export interface Fault {
  /** `lost`: the request is carried out, and no answer comes. `hang`: nothing at all happens. */
  readonly status: number | 'lost' | 'hang';
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** How many requests meet it. Default 1. */
  readonly times?: number;
  /** Only requests of this method meet it. */
  readonly method?: string;
}

export interface SeenRequest {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface Key {
  readonly accessKey: string;
  readonly secretKey: string;
}

type Answer = readonly [status: number, body: unknown];

export class PublicService {
  readonly seen: SeenRequest[] = [];
  readonly topics = new Map<string, string[]>();
  readonly keys = new Map<string, Key>();
  readonly #globus: Globus;
  #url = '';
  #fault: Fault | null = null;
  #faultsLeft = 0;
  #made = 0;
  #gate: Promise<void> | null = null;
  #held = 0;

  private constructor(globus: Globus) {
    this.#globus = globus;
  }

  /** Starts one that ends with the test. */
  static async start(globus: Globus): Promise<PublicService> {
    const service = new PublicService(globus);
    const server = createServer((request, response) => {
      service
        .#serve(request, response)
        .catch((error: unknown) => response.destroy(Error(`${error}`)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    service.#url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return service;
  }

  get url(): string {
    return this.#url;
  }

  /** Method and path of each request. */
  get lines(): string[] {
    return this.seen.map(({ line }) => line);
  }

  fail(fault: Fault): void {
    this.#fault = fault;
    this.#faultsLeft = fault.times ?? 1;
  }

  /** The next answers go out when the function that this returns is called: they are of the time of their requests. */
  holdAnswers(): () => void {
    let release = (): void => {};
    this.#gate = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  }

  /** Later ones go out at once again. Resolves once so many answers are held. */
  async held(count: number): Promise<void> {
    while (this.#held < count) await new Promise(setImmediate);
    this.#gate = null;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const line = `${request.method} ${request.url}`;
    this.seen.push({ line, headers: request.headers, body: await text(request) });
    const fault = this.#takeFault(request.method);
    if (fault?.status === 'hang') return;
    if (typeof fault?.status === 'number') {
      response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
      response.end(fault.body ?? '');
      return;
    }
    const [status, body] = await this.#answer(request, line);
    if (this.#gate !== null) {
      this.#held += 1;
      await this.#gate;
    }
    if (fault?.status === 'lost') {
      response.destroy();
      return;
    }
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }

  #takeFault(method: string | undefined): Fault | null {
    const fault = this.#fault;
    if (fault === null || this.#faultsLeft === 0) return null;
    if (fault.method !== undefined && fault.method !== method) return null;
    this.#faultsLeft -= 1;
    return fault;
  }

  async #answer({ headers }: IncomingMessage, line: string): Promise<Answer> {
    const { subject, authorization, topic } = headers;
    const route = routes.find(([pattern]) => pattern.test(line));
    if (route === undefined) return [404, { detail: 'Not Found' }];
    const missing = ['subject', 'authorization'].filter((name) => headers[name] === undefined);
    if (typeof subject !== 'string' || authorization === undefined) {
      const detail = missing.map((name) => ({
        type: 'missing',
        loc: ['header', name],
        msg: 'Field required',
        input: null,
      }));
      return [422, { detail }];
    }
    const reason = await this.#refusalOf(subject, authorization);
    if (reason !== null) return [200, { status: 'error', reason }];
    const [, ...names] = (route[0].exec(line) ?? []).map(decodeURIComponent);
    return route[1](this, subject, ...(names.length > 0 ? names : [String(topic)]));
  }

  /** `AuthManager.validate_access_token`; its `\w+` for tokens is widened to what the stand-in gives. */
  async #refusalOf(subject: string, authorization: string): Promise<string | null> {
    if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(subject)) {
      return 'Invalid user ID; expected UUID.';
    }
    if (!authorization.startsWith('Bearer ')) return 'Auth token must start with "Bearer ".';
    const token = authorization.slice('Bearer '.length);
    if (token.length <= 32 || token.length >= 255 || !/^[\w-]+$/.test(token)) {
      return 'Invalid token format.';
    }
    const { clientId, clientSecret } = this.#globus.resourceServer;
    const reply = await fetch(this.#globus.introspectionUrl, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
      },
      body: new URLSearchParams({ token }),
    });
    const known: { active?: unknown; sub?: unknown } = Object(await reply.json());
    if (known.active !== true) return 'Token is inactive.';
    return known.sub === subject ? null : 'Token does not belong to the user.';
  }

  makeKey(subject: string): Key {
    this.#made += 1;
    const key = {
      accessKey: `AKIA${String(this.#made).padStart(16, '0')}`,
      secretKey: `made/${this.#made}/for+${subject}`,
    };
    this.keys.set(subject, key);
    return key;
  }
}

export const endpoint = 'b-1.example.org:9198,b-2.example.org:9198';

const namespaceOf = (subject: string): string => `ns-${subject.replaceAll('-', '').slice(-12)}`;

/** `NamespaceService.validate_name`. */
function invalidName(name: string): Answer | null {
  const message =
    name.length < 3 || name.length > 32
      ? 'Name must be between 3 and 32 characters'
      : !/^[a-zA-Z0-9_-]+$/.test(name)
        ? 'Name can only contain letters, numbers, dash, and underscore'
        : /^[-_]|[-_]$/.test(name)
          ? 'Name cannot start or end with hyphen or underscore'
          : null;
  return message === null ? null : [200, { status: 'failure', message }];
}

type Route = (service: PublicService, subject: string, ...names: string[]) => Answer;

const makeUser: Route = ({ topics }, subject) => {
  const namespace = namespaceOf(subject);
  if (!topics.has(namespace)) topics.set(namespace, []);
  const message = `User ${subject} created with namespace ${namespace}`;
  return [200, { status: 'success', message, subject, namespace }];
};

const giveKey: Route = (service, subject) => {
  const existing = service.keys.get(subject);
  if (existing === undefined) makeUser(service, subject);
  const { accessKey, secretKey } = existing ?? service.makeKey(subject);
  const message = existing
    ? `Access key already exists for ${subject}`
    : `Access key created for ${subject}`;
  return [
    200,
    {
      status: 'success',
      message,
      access_key: accessKey,
      secret_key: secretKey,
      create_date: '2026-01-02T03:04:05+00:00',
      endpoint,
      fresh: existing === undefined,
    },
  ];
};

const endKey: Route = ({ keys }, subject) => {
  keys.delete(subject);
  return [200, { status: 'success', message: `Access key deleted for ${subject}` }];
};

const listNamespaces: Route = ({ topics }, subject) => {
  const namespace = namespaceOf(subject);
  const own = topics.get(namespace);
  const namespaces = own === undefined ? {} : { [namespace]: own };
  const message = `Found ${Object.keys(namespaces).length} namespaces for ${subject}`;
  return [200, { status: 'success', message, namespaces }];
};

const change =
  (action: (topics: string[], namespace: string, topic: string) => [string, string[]]): Route =>
  ({ topics }, subject, namespace = '', topic = '') => {
    const own = namespace === namespaceOf(subject) ? topics.get(namespace) : undefined;
    if (own === undefined) {
      const message = `Namespace ${namespace} not found for ${subject}`;
      return [200, { status: 'failure', message }];
    }
    const [message, after] = action(own, namespace, topic);
    topics.set(namespace, after);
    return [200, { status: 'success', message, topics: after }];
  };

const register = change((topics, namespace, topic) =>
  topics.includes(topic)
    ? [`Topic ${topic} already exists in ${namespace}`, topics]
    : [`Topic ${topic} created in ${namespace}`, [...topics, topic]],
);

const unregister = change((topics, namespace, topic) =>
  topics.includes(topic)
    ? [`Topic ${topic} deleted from ${namespace}`, topics.filter((one) => one !== topic)]
    : [`Topic ${topic} not found in ${namespace}`, topics],
);

const recreate: Route = ({ topics }, _subject, namespace = '', topic = '') =>
  topics.get(namespace)?.includes(topic)
    ? [200, { status: 'success', message: 'Topic recreated' }]
    : [200, { status: 'failure', message: `Topic ${topic} not found in ${namespace}` }];

const v1 =
  (action: 'register' | 'unregister'): Route =>
  ({ topics }, subject, topic = '') => {
    const before = topics.get(subject) ?? [];
    const has = before.includes(topic);
    const status = has === (action === 'register') ? 'no-op' : 'success';
    const others = before.filter((one) => one !== topic);
    topics.set(subject, action === 'register' ? [...others, topic] : others);
    return [200, { status, message: `Principal ${subject}, topic ${topic}: ${action}` }];
  };

const routes: readonly (readonly [RegExp, Route])[] = [
  [/^POST \/api\/v3\/user$/, makeUser],
  [/^POST \/api\/v3\/key$/, giveKey],
  [/^DELETE \/api\/v3\/key$/, endKey],
  [/^GET \/api\/v3\/namespace$/, listNamespaces],
  [
    /^POST \/api\/v3\/([^/]+)\/([^/]+)$/,
    (service, subject, namespace = '', topic = '') =>
      invalidName(topic) ?? register(service, subject, namespace, topic),
  ],
  [/^DELETE \/api\/v3\/([^/]+)\/([^/]+)$/, unregister],
  [/^PUT \/api\/v3\/([^/]+)\/([^/]+)\/recreate$/, recreate],
  [
    /^POST \/v1\/create_key$/,
    (service, subject) => [
      200,
      { status: 'success', secret_key: service.makeKey(subject).secretKey },
    ],
  ],
  [
    /^GET \/v1\/list_topics$/,
    ({ topics }, subject) => [200, { status: 'success', topics: topics.get(subject) ?? [] }],
  ],
  [/^POST \/v1\/register_topic$/, v1('register')],
  [/^POST \/v1\/unregister_topic$/, v1('unregister')],
];
