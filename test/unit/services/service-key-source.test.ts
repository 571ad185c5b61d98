import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Environment, parseBrokers, resolveDiaspora } from '../../../src/options.ts';
import { type BrokerAccess, openBrokerAccess } from '../../../src/services/broker-sign-in.ts';
import type { ServiceKey } from '../../../src/services/service-key.ts';
import {
  openServiceKeySource,
  type ServiceKeySource,
} from '../../../src/services/service-key-source.ts';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { RawServer } from '../auth/raw-server.ts';
import { Heard } from '../auth/signed-in.ts';
import { endpoint, PublicService } from './public-service.ts';
import { type Person, personAt } from './signed-in-client.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterAll(() => globus.stop());

interface Started {
  readonly service: PublicService;
  readonly person: Person;
  readonly source: ServiceKeySource;
  readonly heard: Heard;
}

async function started(
  apiVersion: 'v3' | 'v1',
  options: { isSaved?: boolean } = {},
): Promise<Started> {
  const service = await PublicService.start(globus);
  const person = await personAt(globus, service.url, options);
  return { service, person, ...sourceOf(person.env, apiVersion) };
}

function sourceOf(
  env: Environment,
  apiVersion: 'v3' | 'v1',
  requestTimeoutMs = 5_000,
): Pick<Started, 'source' | 'heard'> {
  const heard = new Heard();
  const auth = resolveDiaspora({ apiVersion }, env, false);
  const { diagnostics } = heard;
  const source = openServiceKeySource({ auth, diagnostics, requestTimeoutMs, env });
  onTestFinished(() => source.close());
  return { source, heard };
}

/** As another process does. */
const storeEndpoint = (person: Person, endpoint: string): Promise<boolean> =>
  person.store.update((row) => row && { ...row, extra: { ...row.extra, endpoint } });

/** As soon as they are known. */
async function brokersOf(access: BrokerAccess): ReturnType<BrokerAccess['bootstrapBrokers']> {
  for (;;) {
    const brokers = await access.bootstrapBrokers().catch(() => null);
    if (brokers !== null) return brokers;
    await new Promise(setImmediate);
  }
}

const secretOf = (key: ServiceKey): string => key.secretKey;

describe.each(['v3', 'v1'] as const)('a key source of %s', (apiVersion) => {
  it('makes a key where there is none, once for all who ask', async () => {
    const { service, source, person, heard } = await started(apiVersion);
    const keys = await Promise.all(Array.from({ length: 9 }, () => source.key()));
    expect(new Set(keys).size).toBe(1);
    expect(await source.key()).toBe(keys[0]);
    expect(service.lines).toEqual([
      apiVersion === 'v3' ? 'POST /api/v3/key' : 'POST /v1/create_key',
    ]);
    expect(await person.client({ apiVersion }).getSecretKey()).toBe(keys[0]?.secretKey);
    expect(heard.codes()).toEqual(['TOKEN_REFRESHED']);
  });

  it('asks nobody where a key is stored', async () => {
    const { service, source, person, heard } = await started(apiVersion);
    const v3 = apiVersion === 'v3' ? { accessKey: 'AKIA1' } : undefined;
    await person.client({ apiVersion }).putSecretKey('stored', v3);
    expect(secretOf(await source.key())).toBe('stored');
    expect(service.seen).toEqual([]);
    expect(heard.events).toEqual([]);
  });

  it('takes the key that another process stored, where brokers refuse its own', async () => {
    const { source, person, heard } = await started(apiVersion);
    await source.key();
    const { secretKey } = await person.client({ apiVersion }).createKey();
    source.refused();
    expect(secretOf(await source.key())).toBe(secretKey);
    expect(heard.count('SERVICE_KEY_REFUSED')).toBe(0);
  });

  it('is not moved by a late refusal of an earlier key', async () => {
    const { service, source, person } = await started(apiVersion);
    const first = await source.key();
    await person.client({ apiVersion }).createKey();
    source.refused(first);
    const second = await source.key();
    const asked = service.seen.length;
    source.refused(first);
    expect(await source.key()).toBe(second);
    expect(service.seen).toHaveLength(asked);
  });

  it('goes on with a new key that brokers do not know yet, and says nothing of it', async () => {
    const { source, heard } = await started(apiVersion);
    const key = await source.key();
    for (let times = 0; times < 3; times += 1) {
      source.refused();
      expect(await source.key()).toBe(key);
    }
    expect(heard.codes()).toEqual(['TOKEN_REFRESHED']);
  });

  it('says that it has no key while the service is down, and has one when it is back', async () => {
    const { service, source, heard } = await started(apiVersion);
    service.fail({ status: 503, headers: { 'retry-after': '0' }, times: 4 });
    await expect(source.key()).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      retriable: true,
    });
    const asked = service.seen.length;
    // At once it is not asked again.
    await expect(source.key()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(service.seen).toHaveLength(asked);
    expect(heard.count('SERVICE_UNAVAILABLE')).toBe(1);
    let key: ServiceKey | null = null;
    while (key === null) key = await source.key().catch(() => null);
    expect(key.version).toBe(apiVersion);
  });

  it('takes a key that is stored meanwhile, though the service refuses to give one', async () => {
    const { service, source, heard, person } = await started(apiVersion);
    service.fail({ status: 200, body: '{"status":"failure","message":"No keys today"}' });
    await expect(source.key()).rejects.toThrow(/No keys today/);
    expect((await heard.until('SERVICE_REFUSED')).message).toContain('No keys today');
    const v3 = apiVersion === 'v3' ? { accessKey: 'AKIA1' } : undefined;
    await person.client({ apiVersion }).putSecretKey('brought', v3);
    expect(secretOf(await source.key())).toBe('brought');
  });

  it('without a sign-in says what to do, as a failure to sign in', async () => {
    const { source, heard } = await started(apiVersion, { isSaved: false });
    await expect(source.key()).rejects.toMatchObject({
      name: 'AuthenticationError',
      retriable: false,
      message: expect.stringContaining('npx diaspora-logger request-token --save'),
    });
    expect(heard.codes()).toEqual(['CREDENTIALS_MISSING']);
  });

  it('names the options as transports have them', async () => {
    const { service, person } = await started(apiVersion);
    const DIASPORA_REFRESH = (await globus.signIn('other@example.org')).refreshToken;
    const { source } = sourceOf({ ...person.env, DIASPORA_REFRESH }, apiVersion);
    await expect(source.key()).rejects.toMatchObject({
      code: 'SUBJECT_UNKNOWN',
      message: expect.stringContaining('set the option "auth.subject"'),
    });
    service.fail({ status: 404, body: '{"detail":"Not Found"}' });
    const { source: other } = sourceOf(person.env, apiVersion);
    await expect(other.key()).rejects.toThrow('(option "auth.apiVersion")');
  });

  it('says nothing of its keys, nor shows them', async () => {
    const { service, source, heard } = await started(apiVersion);
    const key = await source.key();
    service.fail({ status: 500, times: 99 });
    source.refused();
    await source.key();
    const seen = inspect([source, heard.events], { depth: 9, showHidden: true });
    expect(seen).not.toContain(secretOf(key));
    expect(seen).not.toContain(service.seen[0]?.headers.authorization?.slice(7, 30));
  });

  it('that is closed gives no key, and ends what is under way', async () => {
    const { service, source, heard } = await started(apiVersion);
    service.fail({ status: 'hang', times: 99 });
    const asked = source.key();
    asked.catch(() => {});
    while (service.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    source.close();
    await expect(asked).rejects.toThrow(/closed meanwhile/);
    await expect(source.key()).rejects.toMatchObject({ code: 'CLOSED' });
    expect(heard.count('SERVICE_UNAVAILABLE')).toBe(0);
  });
});

describe('a key that brokers refuse', () => {
  it('is asked of v3 again: another machine may have made a new one', async () => {
    const { service, source, person } = await started('v3');
    await source.key();
    const { secretKey } = service.makeKey(person.signedIn.subject);
    source.refused();
    expect(secretOf(await source.key())).toBe(secretKey);
    expect(await person.client().getSecretKey()).toBe(secretKey);
    expect(service.lines).toEqual(['POST /api/v3/key', 'POST /api/v3/key']);
  });

  it('is not asked of v3 at each refusal', async () => {
    const { service, source } = await started('v3');
    const key = await source.key();
    for (let times = 0; times < 20; times += 1) {
      source.refused();
      expect(await source.key()).toBe(key);
    }
    expect(service.seen).toHaveLength(2);
  });

  it('of v3 is used on while the service cannot be asked', async () => {
    const { service, source, heard } = await started('v3');
    const key = await source.key();
    service.fail({ status: 503, headers: { 'retry-after': '0' }, times: 99 });
    source.refused();
    expect(await source.key()).toBe(key);
    expect(heard.count('SERVICE_UNAVAILABLE')).toBe(1);
  });

  it('of v1 is never replaced by itself, since that would end the key of other machines', async () => {
    const { service, source, heard, person } = await started('v1');
    await person.client({ apiVersion: 'v1' }).putSecretKey('ended-elsewhere');
    const key = await source.key();
    source.refused();
    expect(await source.key()).toBe(key);
    expect(service.seen).toEqual([]);
    const said = await heard.until('SERVICE_KEY_REFUSED');
    expect(said.message).toContain('npx diaspora-logger keys create');
    expect(said.message).not.toContain('ended-elsewhere');
    // Somebody did as it says.
    const { secretKey } = await person.client({ apiVersion: 'v1' }).createKey();
    source.refused();
    expect(secretOf(await source.key())).toBe(secretKey);
  });
});

describe('an endpoint where nobody answers', () => {
  afterEach(() => void vi.unstubAllEnvs());
  const moved = 'moved.example.org:9098';

  it('is replaced by that which v3 names by now, and said with where it came from', async () => {
    const { service, person } = await started('v3');
    const { secretKey, accessKey } = service.makeKey(person.signedIn.subject);
    await person.client().putSecretKey(secretKey, { accessKey, endpoint: moved });
    vi.stubEnv('DIASPORA_USER_DIR', person.env['DIASPORA_USER_DIR']);
    const heard = new Heard();
    const auth = resolveDiaspora({}, person.env, false);
    const access = openBrokerAccess({ auth, bootstrapBrokers: [] }, heard.diagnostics);
    onTestFinished(() => access.close());
    for (let attempt = 0; attempt < 3; attempt += 1) await access.bootstrapBrokers();
    expect(service.seen).toEqual([]);
    expect(heard.events).toEqual([]);
    expect(await access.bootstrapBrokers()).toEqual([{ host: 'moved.example.org', port: 9098 }]);
    const { message } = await heard.until('BROKER_UNREACHABLE');
    expect(message).toMatch(
      /moved\.example\.org:9098: the stored service key.*keys create.*keys put/,
    );
    const present = parseBrokers(endpoint);
    while ((await access.bootstrapBrokers())[0]?.host !== present[0]?.host) {
      await new Promise(setImmediate);
    }
    expect(await access.bootstrapBrokers()).toEqual(present);
    expect(service.lines).toEqual(['POST /api/v3/key']);
    expect(heard.count('BROKER_UNREACHABLE')).toBe(1);
  });

  it.each(['v3', 'v1'] as const)(
    'is replaced by that which a person has stored meanwhile for the same key, of %s',
    async (apiVersion) => {
      const { service, source, person } = await started(apiVersion);
      const key = await source.key();
      expect(await storeEndpoint(person, moved)).toBe(true);
      const asked = service.seen.length;
      // Nobody has to answer for that.
      service.fail({ status: 503, headers: { 'retry-after': '0' }, times: 99 });
      source.unreachable();
      while ((await source.key()).endpoint !== moved) await new Promise(setImmediate);
      expect(secretOf(await source.key())).toBe(key.secretKey);
      expect(service.seen).toHaveLength(asked);
      expect((await person.client({ apiVersion }).retrieveKey()).endpoint).toBe(moved);
    },
  );

  it.each(['v3', 'v1'] as const)(
    'that is missing is said, and taken up once a person has put it, of %s',
    async (apiVersion) => {
      const { service, person } = await started(apiVersion);
      const accessKey = apiVersion === 'v3' ? { accessKey: 'AKIA1' } : {};
      const put = (endpoint?: string): Promise<void> =>
        person
          .client({ apiVersion })
          .putSecretKey('stored', { ...accessKey, ...(endpoint !== undefined && { endpoint }) });
      await put();
      vi.stubEnv('DIASPORA_USER_DIR', person.env['DIASPORA_USER_DIR']);
      const heard = new Heard();
      const auth = resolveDiaspora({ apiVersion }, person.env, false);
      const access = openBrokerAccess({ auth, bootstrapBrokers: [] }, heard.diagnostics);
      onTestFinished(() => access.close());
      const { signIn } = access;
      if (signIn?.mechanism === 'OAUTHBEARER') await signIn.token();
      else await signIn?.account();
      await put(moved);
      await expect(access.bootstrapBrokers()).rejects.toMatchObject({
        code: 'SERVICE_REFUSED',
        message: expect.stringMatching(
          /^The service key does not say where the brokers are: .*keys put" with --endpoint.*DIASPORA_BOOTSTRAP/,
        ),
      });
      expect(await brokersOf(access)).toEqual(parseBrokers(moved));
      expect(service.seen).toEqual([]);
      expect(new Set(heard.codes())).toEqual(new Set(['SERVICE_REFUSED']));
    },
  );

  it('that is missing is asked of v3’s service', async () => {
    const { service, person } = await started('v3');
    const { secretKey, accessKey } = service.makeKey(person.signedIn.subject);
    await person.client().putSecretKey(secretKey, { accessKey });
    vi.stubEnv('DIASPORA_USER_DIR', person.env['DIASPORA_USER_DIR']);
    const auth = resolveDiaspora({}, person.env, false);
    const access = openBrokerAccess({ auth, bootstrapBrokers: [] }, new Heard().diagnostics);
    onTestFinished(() => access.close());
    expect(await brokersOf(access)).toEqual(parseBrokers(endpoint));
    expect(service.lines).toEqual(['POST /api/v3/key']);
  });

  it('stays stored, where a person has put it and v3 names another', async () => {
    const { service, source, person } = await started('v3');
    const { secretKey, accessKey } = service.makeKey(person.signedIn.subject);
    await person.client().putSecretKey(secretKey, { accessKey, endpoint: moved });
    await source.key();
    source.unreachable();
    while ((await source.key()).endpoint !== endpoint) await new Promise(setImmediate);
    expect((await person.client().retrieveKey()).endpoint).toBe(moved);
  });

  it('is not forgotten where v3 gives another key, and names none', async () => {
    const { service, source, person } = await started('v3');
    await person.client().putSecretKey('ended', { accessKey: 'AKIA1', endpoint: moved });
    await source.key();
    const body = '{"status":"success","message":"","access_key":"AKIA2","secret_key":"next"}';
    service.fail({ status: 200, body });
    source.unreachable();
    while (secretOf(await source.key()) !== 'next') await new Promise(setImmediate);
    expect((await source.key()).endpoint).toBe(moved);
    const stored = await person.client().retrieveKey();
    expect(stored).toMatchObject({ secretKey: 'next', endpoint: moved });
  });

  it('is not looked into while brokers answer, nor where the options name others', async () => {
    const { service, person } = await started('v3');
    await person.client().putSecretKey('secret', { accessKey: 'AKIA1', endpoint: moved });
    vi.stubEnv('DIASPORA_USER_DIR', person.env['DIASPORA_USER_DIR']);
    const heard = new Heard();
    const auth = resolveDiaspora({}, person.env, false);
    const access = openBrokerAccess({ auth, bootstrapBrokers: [] }, heard.diagnostics);
    const named = parseBrokers('elsewhere.example.org:9098');
    const other = openBrokerAccess({ auth, bootstrapBrokers: named }, heard.diagnostics);
    onTestFinished(() => [access, other].forEach((one) => void one.close()));
    for (let attempt = 0; attempt < 9; attempt += 1) {
      await access.bootstrapBrokers();
      access.answered();
      expect(await other.bootstrapBrokers()).toEqual(named);
    }
    expect(service.seen).toEqual([]);
    expect(heard.events).toEqual([]);
  });
});

describe('a process', () => {
  it('is not kept alive by a key source whose service does not answer', async () => {
    const server = await RawServer.start();
    const { env } = await personAt(globus, server.url);
    const sourceUrl = new URL('../../../src/services/service-key-source.ts', import.meta.url).href;
    const optionsUrl = new URL('../../../src/options.ts', import.meta.url).href;
    const program = `
      import { openServiceKeySource } from ${JSON.stringify(sourceUrl)};
      import { resolveDiaspora } from ${JSON.stringify(optionsUrl)};
      const auth = resolveDiaspora({}, process.env, false);
      openServiceKeySource({ auth, requestTimeoutMs: 3_600_000 }).key().catch(() => {});
      process.stdin.once('end', () => console.log('ended')).resume();
    `;
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', program],
      { env: { PATH: process.env['PATH'], ...env } },
    );
    const [out, seen] = [text(child.stdout), text(child.stderr)];
    await server.requests(1);
    child.stdin.end();
    const [code] = await once(child, 'close');
    expect([code, await out, await seen]).toEqual([0, 'ended\n', '']);
  });
});
