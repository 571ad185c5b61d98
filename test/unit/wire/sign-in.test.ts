/** Signing in: refusals, token sources that misbehave, and sessions that must be renewed. */
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { AuthenticationError } from '../../../src/errors.ts';
import type { SignIn } from '../../../src/wire/cluster.ts';
import { initProducerId } from '../../../src/wire/requests/init-producer-id.ts';
import { broker, clusterOf, failure } from './cluster-fixture.ts';
import {
  authBytes,
  authenticateReply,
  handshakeReply,
  keys,
  producerIdReply,
  type Script,
} from './scripted-broker.ts';

const ask = { timeoutMs: 5_000 };

interface TokenSource extends Extract<SignIn, { mechanism: 'OAUTHBEARER' }> {
  readonly refusals: string[];
  asked: number;
}

function tokens(next: (asked: number) => Promise<string> | string): TokenSource {
  const source: TokenSource = {
    mechanism: 'OAUTHBEARER',
    refusals: [],
    asked: 0,
    token: async () => {
      source.asked += 1;
      return { value: await next(source.asked), expiresAt: Date.now() + 60_000 };
    },
    refused: (value) => source.refusals.push(value),
    remedy: 'Mend the token.',
  };
  return source;
}

interface AccountSource extends Exclude<SignIn, { mechanism: 'OAUTHBEARER' }> {
  readonly refusals: string[];
}

function account(
  mechanism: AccountSource['mechanism'],
  next: (asked: number) => Promise<string> | string,
): AccountSource {
  let asked = 0;
  const source: AccountSource = {
    mechanism,
    refusals: [],
    account: async () => {
      asked += 1;
      return { username: 'me', password: await next(asked) };
    },
    refused: (password) => source.refusals.push(password),
    remedy: 'Mend the password.',
  };
  return source;
}

/** A broker that takes what `judge` takes, and answers everything else with a producer id. */
function signsIn(
  judge: (said: string, connection: number) => Parameters<typeof authenticateReply>[0],
): Script {
  return (request) => {
    if (request.key === keys.saslHandshake) return handshakeReply(0, ['OAUTHBEARER', 'PLAIN']);
    if (request.key === keys.saslAuthenticate) {
      const reply = judge(authBytes(request), request.connection);
      // As a real broker: the connection ends with a refusal.
      if (reply.errorCode) setImmediate(() => request.socket.end());
      return authenticateReply(reply);
    }
    return producerIdReply(1n);
  };
}

describe('sign-in', () => {
  it('shows the token as RFC 7628 has it, before anything else', async () => {
    const server = await broker(signsIn(() => ({})));
    const { cluster } = clusterOf({ bootstrapBrokers: [server], signIn: tokens(() => 'tok-1') });
    await cluster.request(null, initProducerId, {}, ask);
    expect(server.requests.map(({ key }) => key)).toEqual([
      keys.apiVersions,
      keys.saslHandshake,
      keys.saslAuthenticate,
      keys.initProducerId,
    ]);
    expect(authBytes(await server.arrived(keys.saslAuthenticate))).toBe(
      'n,,\x01auth=Bearer tok-1\x01\x01',
    );
  });

  it('signs in with PLAIN', async () => {
    const server = await broker(signsIn(() => ({})));
    const signIn = account('PLAIN', () => 'secret');
    const { cluster } = clusterOf({ bootstrapBrokers: [server], signIn });
    await cluster.request(null, initProducerId, {}, ask);
    expect(authBytes(await server.arrived(keys.saslAuthenticate))).toBe('\0me\0secret');
  });

  it('tries a refused token once more with a new one', async () => {
    const server = await broker(
      signsIn((said) => (said.includes('stale') ? { errorCode: 58, errorMessage: 'expired' } : {})),
    );
    const signIn = tokens((asked) => (asked === 1 ? 'stale' : 'fresh'));
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server], signIn });
    await cluster.request(null, initProducerId, {}, ask);
    expect(signIn.refusals).toEqual(['stale']);
    expect(server.connections()).toBe(2);
    expect(codes()).toEqual(['CONNECTED']);
  });

  it('fails when the new token is refused too, with the words of the broker and without the token', async () => {
    const server = await broker(
      signsIn((said) => ({ errorCode: 58, errorMessage: `not for us: ${said}` })),
    );
    const signIn = tokens((asked) => `tok-secret-${asked}`);
    const { cluster, events } = clusterOf({ bootstrapBrokers: [server], signIn });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(error).toMatchObject({ code: 'TOKEN_REFUSED_BY_BROKER', retriable: false });
    expect(error.message).toContain(
      `127.0.0.1:${server.port} refused the access token: not for us`,
    );
    expect(signIn.refusals).toEqual(['tok-secret-1', 'tok-secret-2']);
    expect(events).toMatchObject([{ code: 'TOKEN_REFUSED_BY_BROKER', message: error.message }]);
    expect(inspect([error, events, cluster], { depth: 20, showHidden: true })).not.toContain(
      'tok-secret',
    );
  });

  it('does not try the same token again', async () => {
    const server = await broker(signsIn(() => ({ errorCode: 58, errorMessage: 'no' })));
    const { cluster } = clusterOf({ bootstrapBrokers: [server], signIn: tokens(() => 'same') });
    await failure(cluster.request(null, initProducerId, {}, ask));
    expect(server.connections()).toBe(1);
  });

  it('answers the challenge that tells a refusal, and fails with its text', async () => {
    const server = await broker(
      signsIn((said) =>
        said === '\x01'
          ? { errorCode: 58, errorMessage: '{"status":"invalid_token"}' }
          : { authBytes: Buffer.from('{"status":"invalid_token"}') },
      ),
    );
    const { cluster } = clusterOf({ bootstrapBrokers: [server], signIn: tokens(() => 'x') });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error.code).toBe('TOKEN_REFUSED_BY_BROKER');
    expect(error.message).toContain('invalid_token');
    expect(authBytes(await server.arrived(keys.saslAuthenticate, 2))).toBe('\x01');
  });

  it('names the mechanisms that a broker offers instead', async () => {
    const server = await broker(() => handshakeReply(33, ['SCRAM-SHA-512', 'PLAIN']));
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server], signIn: tokens(() => 'x') });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error.code).toBe('SIGN_IN_REFUSED');
    expect(error.message).toContain('does not take OAUTHBEARER');
    expect(error.message).toContain('it offers: SCRAM-SHA-512, PLAIN');
    expect(codes()).toEqual(['SIGN_IN_REFUSED']);
  });

  it('says whose password a broker refuses, and not the password', async () => {
    const server = await broker(signsIn(() => ({ errorCode: 58, errorMessage: 'bad hunter2' })));
    const signIn = account('PLAIN', () => 'hunter2');
    const { cluster } = clusterOf({ bootstrapBrokers: [server], signIn });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toMatchObject({ code: 'SIGN_IN_REFUSED', retriable: false });
    expect(error.message).toContain('PLAIN sign-in of user "me": bad [hidden]. Mend the password.');
    expect(signIn.refusals).toEqual(['hunter2']);
    expect(server.connections()).toBe(1);
  });

  it('tries a refused password once more with another one', async () => {
    const server = await broker(
      signsIn((said) => (said.endsWith('ended') ? { errorCode: 58, errorMessage: 'no' } : {})),
    );
    const signIn = account('PLAIN', (asked) => (asked === 1 ? 'ended' : 'present'));
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server], signIn });
    await cluster.request(null, initProducerId, {}, ask);
    expect(signIn.refusals).toEqual(['ended']);
    expect(server.connections()).toBe(2);
    expect(codes()).toEqual(['CONNECTED']);
  });

  it('gives up a password source that hangs, and says what one says that throws', async () => {
    const server = await broker(() => null);
    const signIn = account('PLAIN', (asked) => {
      if (asked > 1) throw new TypeError('boom');
      return new Promise(() => {});
    });
    const { cluster, events } = clusterOf({
      bootstrapBrokers: [server],
      signIn,
      connectTimeoutMs: 100,
    });
    await failure(cluster.request(null, initProducerId, {}, ask));
    await failure(cluster.request(null, initProducerId, {}, ask));
    expect(events).toMatchObject([
      {
        code: 'SERVICE_UNAVAILABLE',
        message: 'No password came within 100 ms. Check the password source.',
      },
      {
        code: 'SERVICE_UNAVAILABLE',
        message: 'The password source failed: boom. Check the password source.',
      },
    ]);
    expect(server.connections()).toBe(0);
  });

  it('refuses a SCRAM server that invents an answer', async () => {
    const server = await broker(
      signsIn((said) => {
        const nonce = /r=([^,]+)/.exec(said)?.[1];
        return {
          authBytes: Buffer.from(
            said.startsWith('n,,') ? `r=${nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096` : 'v=AAAA',
          ),
        };
      }),
    );
    const signIn = account('SCRAM-SHA-256', () => 'pw');
    const { cluster } = clusterOf({ bootstrapBrokers: [server], signIn });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error.message).toContain('does not prove that it knows the password');
  });

  it('gives up a broker that is silent during sign-in', async () => {
    const server = await broker(() => null);
    const signIn = tokens(() => 'x');
    const { cluster, codes } = clusterOf({
      bootstrapBrokers: [server],
      signIn,
      connectTimeoutMs: 100,
    });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toMatchObject({ code: 'REQUEST_TIMED_OUT' });
    expect(codes()).toEqual([]);
    expect(server.sockets.size).toBeLessThanOrEqual(1);
  });

  it('gives up a token source that hangs, without a connection', async () => {
    const server = await broker(() => null);
    const { cluster, codes } = clusterOf({
      bootstrapBrokers: [server],
      signIn: tokens(() => new Promise(() => {})),
      connectTimeoutMs: 100,
    });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toMatchObject({ code: 'TOKEN_ENDPOINT_UNAVAILABLE', retriable: true });
    expect(codes()).toEqual(['TOKEN_ENDPOINT_UNAVAILABLE']);
    expect(server.connections()).toBe(0);
  });

  it('survives a token source that throws, and one that fails with an error of the package', async () => {
    const server = await broker(signsIn(() => ({})));
    const own = new AuthenticationError('REFRESH_TOKEN_INVALID', 'Sign in again.', false);
    const signIn = tokens((asked) => {
      if (asked === 1) throw new TypeError('boom');
      return asked === 2 ? Promise.reject(own) : 'good';
    });
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server], signIn });
    const first = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(first.message).toContain('The token source failed: boom');
    expect(await failure(cluster.request(null, initProducerId, {}, ask))).toBe(own);
    await cluster.request(null, initProducerId, {}, ask);
    // The package's own source says itself what is wrong.
    expect(codes()).toEqual(['TOKEN_ENDPOINT_UNAVAILABLE', 'CONNECTED']);
  });
});

describe('a session', () => {
  const lifetimeMs = 1_400;

  it('is renewed on the same connection before it ends, when it is used', async () => {
    const server = await broker(signsIn(() => ({ lifetimeMs })));
    const signIn = tokens((asked) => `tok-${asked}`);
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server], signIn });
    const started = performance.now();
    await cluster.request(null, initProducerId, {}, ask);
    const renewal = await server.arrived(keys.saslAuthenticate, 2);
    expect(performance.now() - started).toBeLessThan(lifetimeMs);
    expect(authBytes(renewal)).toContain('tok-2');
    expect(renewal.connection).toBe(0);
    await cluster.request(null, initProducerId, {}, ask);
    expect(codes()).toEqual(['CONNECTED']);
    expect(server.connections()).toBe(1);
  });

  it('lets requests through while its new token is slow', async () => {
    const server = await broker(signsIn(() => ({ lifetimeMs: 1_600 })));
    const { promise: slow, resolve: answer } = withResolvers<string>();
    const { promise: asked, resolve: isAsked } = withResolvers<void>();
    const signIn = tokens((count) => {
      if (count === 1) return 'first';
      isAsked();
      return slow;
    });
    const { cluster } = clusterOf({ bootstrapBrokers: [server], signIn });
    await cluster.request(null, initProducerId, {}, ask);
    await asked;
    await cluster.request(null, initProducerId, {}, ask);
    expect(server.requests.filter(({ key }) => key === keys.saslAuthenticate)).toHaveLength(1);
    answer('second');
    expect(authBytes(await server.arrived(keys.saslAuthenticate, 2))).toContain('second');
    await cluster.request(null, initProducerId, {}, ask);
    expect(server.connections()).toBe(1);
  });

  it('holds requests, rather than losing them, when its new token comes after its end', async () => {
    const server = await broker(signsIn(() => ({ lifetimeMs })));
    const { promise: slow, resolve: answer } = withResolvers<string>();
    const signIn = tokens((count) => (count === 1 ? 'first' : slow));
    const { cluster } = clusterOf({ bootstrapBrokers: [server], signIn });
    const started = performance.now();
    await cluster.request(null, initProducerId, {}, ask);
    let sent = 0;
    // Requests go on one after the other until the gate closes.
    const stream = (async () => {
      while (performance.now() - started < lifetimeMs) {
        await cluster.request(null, initProducerId, {}, ask);
        sent += 1;
      }
    })();
    setTimeout(() => answer('second'), lifetimeMs + 200).unref();
    await stream;
    expect(sent).toBeGreaterThan(10);
    const order = server.requests.map(({ key }) => key);
    const renewed = order.lastIndexOf(keys.saslAuthenticate);
    // All but the one that was held went before the renewal.
    expect(order.length - 1 - renewed).toBeLessThanOrEqual(1);
    expect(server.connections()).toBe(1);
  });

  it('asks a token source that fails again while the session lasts', async () => {
    const server = await broker(signsIn(() => ({ lifetimeMs })));
    const signIn = tokens((count) =>
      count === 2 ? Promise.reject(new Error('down')) : `tok-${count}`,
    );
    const { cluster } = clusterOf({ bootstrapBrokers: [server], signIn });
    await cluster.request(null, initProducerId, {}, ask);
    expect(authBytes(await server.arrived(keys.saslAuthenticate, 2))).toContain('tok-3');
    expect(server.connections()).toBe(1);
  });

  it('makes a new connection when the broker refuses its renewal', async () => {
    const server = await broker(
      signsIn((said) =>
        said.includes('tok-2') ? { errorCode: 58, errorMessage: 'no' } : { lifetimeMs },
      ),
    );
    const signIn = tokens((asked) => `tok-${asked}`);
    const { cluster } = clusterOf({ bootstrapBrokers: [server], signIn });
    await cluster.request(null, initProducerId, {}, ask);
    await server.arrived(keys.saslAuthenticate, 2);
    for (;;) {
      const error = await failure(cluster.request(null, initProducerId, {}, ask)).catch(() => null);
      if (error === null) break;
      expect(error).toMatchObject({ code: 'CONNECTION_LOST', sent: false });
    }
    expect(signIn.refusals).toEqual(['tok-2']);
    expect(authBytes(await server.arrived(keys.saslAuthenticate, 3))).toContain('tok-3');
  });

  it('ends with its connection, quietly, when nobody uses it', async () => {
    const server = await broker(signsIn(() => ({ lifetimeMs: 1_150 })));
    const signIn = tokens((asked) => `tok-${asked}`);
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server], signIn });
    await cluster.request(null, initProducerId, {}, ask);
    await server.arrived(keys.saslAuthenticate, 2);
    const [socket] = server.sockets;
    await new Promise((resolve) => socket?.once('close', resolve));
    expect(signIn.asked).toBe(2);
    expect(codes()).toEqual(['CONNECTED']);
    await cluster.request(null, initProducerId, {}, ask);
    expect(server.connections()).toBe(2);
  });
});

/** `Promise.withResolvers` of Node 22. */
function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
