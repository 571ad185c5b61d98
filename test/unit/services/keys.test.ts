import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventService } from '../../../src/auth/globus-service.ts';
import { type KeyOwner, readKey, writeKey } from '../../../src/auth/stored-key.ts';
import type { DiasporaClient } from '../../../src/services/diaspora-client.ts';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { temporaryDirectory } from '../auth/signed-in.ts';
import { endpoint, PublicService } from './public-service.ts';
import { type Person, personAt, rowOf, storeAt } from './signed-in-client.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterAll(() => globus.stop());

async function started(apiVersion: 'v3' | 'v1' = 'v3'): Promise<{
  service: PublicService;
  person: Person;
  diaspora: DiasporaClient;
  /** Another process's client: nothing is cached. */
  another: () => DiasporaClient;
}> {
  const service = await PublicService.start(globus);
  const person = await personAt(globus, service.url);
  const another = (): DiasporaClient => person.client({ apiVersion });
  return { service, person, diaspora: another(), another };
}

describe('a key of v3', () => {
  it('is made once, and kept', async () => {
    const { service, diaspora, another } = await started();
    expect(await diaspora.getSecretKey()).toBeNull();
    const key = await diaspora.retrieveKey();
    expect(key).toMatchObject({ version: 'v3', endpoint, fresh: true });
    expect(await diaspora.getSecretKey()).toBe(key.secretKey);
    expect(await diaspora.retrieveKey()).toEqual(key);
    expect(await another().retrieveKey()).toEqual({ ...key, fresh: false });
    expect(service.lines).toEqual(['POST /api/v3/key']);
  });

  it('is the present one where the store has none: no other machine loses it', async () => {
    const { service, person } = await started();
    const made = service.makeKey(person.signedIn.subject);
    expect(await person.client().retrieveKey()).toMatchObject({ ...made, fresh: false });
  });

  it('is a new one by createKey, and earlier ones end', async () => {
    const { service, diaspora, another } = await started();
    const first = await diaspora.retrieveKey();
    const second = await diaspora.createKey();
    expect(second).toMatchObject({ version: 'v3', endpoint, fresh: true });
    expect(second.secretKey).not.toBe(first.secretKey);
    expect(await diaspora.retrieveKey()).toBe(second);
    expect(await another().getSecretKey()).toBe(second.secretKey);
    expect(service.lines.slice(1)).toEqual(['DELETE /api/v3/key', 'POST /api/v3/key']);
  });

  it.each(['created', 'put'])('that is %s while a slow answer is under way stays', async (how) => {
    const { service, person, diaspora, another } = await started();
    service.makeKey(person.signedIn.subject);
    const release = service.holdAnswers();
    const slow = [diaspora.retrieveKey(), another().retrieveKey()];
    await service.held(2);
    const newer =
      how === 'created'
        ? (await diaspora.createKey()).secretKey
        : await diaspora.putSecretKey('newer', { accessKey: 'AKIANEWER' }).then(() => 'newer');
    release();
    for (const key of await Promise.all(slow)) expect(key.secretKey).toBe(newer);
    expect((await diaspora.retrieveKey()).secretKey).toBe(newer);
    expect(await another().getSecretKey()).toBe(newer);
  });

  it('is made once where many ask for a new one at once, each after the other', async () => {
    const { service, another } = await started();
    const keys = await Promise.all(Array.from({ length: 5 }, () => another().createKey()));
    const stored = await another().getSecretKey();
    expect(stored).toBe([...service.keys.values()][0]?.secretKey);
    expect(keys.map(({ secretKey }) => secretKey)).toContain(stored);
    const deletes = service.lines.map((line) => line.startsWith('DELETE'));
    expect(deletes).toEqual(Array.from({ length: 10 }, (_, index) => index % 2 === 0));
  });

  it('that another machine made works here once it is put', async () => {
    const { service, person, diaspora, another } = await started();
    await diaspora.putSecretKey('secret/of/elsewhere', { accessKey: 'AKIAELSEWHERE' });
    const key = { version: 'v3', accessKey: 'AKIAELSEWHERE', secretKey: 'secret/of/elsewhere' };
    expect(await diaspora.retrieveKey()).toMatchObject(key);
    expect(await another().retrieveKey()).toMatchObject({ ...key, endpoint: '', fresh: false });
    await diaspora.putSecretKey('next', { accessKey: 'AKIANEXT', endpoint: 'b:9098' });
    expect(await another().connectionDetails()).toEqual({
      bootstrapBrokers: 'b:9098',
      securityProtocol: 'SASL_SSL',
      saslMechanism: 'OAUTHBEARER',
      region: 'us-east-1',
      accessKey: 'AKIANEXT',
      secretKey: 'next',
      namespace: `ns-${person.signedIn.subject.slice(-12)}`,
      subject: person.signedIn.subject,
    });
    expect(service.seen).toEqual([]);
  });

  it('that is put without brokers leaves those that are stored, of its version', async () => {
    const { person } = await started();
    for (const apiVersion of ['v3', 'v1'] as const) {
      const endpointAfter = async (secretKey: string, endpoint?: string): Promise<unknown> => {
        const accessKey = apiVersion === 'v3' ? { accessKey: `AKIA${secretKey}` } : {};
        const brokers = endpoint === undefined ? {} : { endpoint };
        const client = person.client({ apiVersion });
        await client.putSecretKey(secretKey, { ...accessKey, ...brokers });
        expect(await client.retrieveKey()).toEqual(
          await person.client({ apiVersion }).retrieveKey(),
        );
        return (await client.retrieveKey()).endpoint || null;
      };
      expect(await endpointAfter('first')).toBeNull();
      const brokers = `${apiVersion}.example.org:9098`;
      expect(await endpointAfter('second', brokers)).toBe(brokers);
      expect(await endpointAfter('third')).toBe(brokers);
      expect(await endpointAfter('fourth', 'moved.example.org:9098')).toBe(
        'moved.example.org:9098',
      );
    }
  });

  it('is put into a machine where nobody signed in, and works there', async () => {
    const { service } = await started();
    const env = { DIASPORA_USER_DIR: temporaryDirectory(), DIASPORA_SERVICE_URL: service.url };
    const stranger = await personAt(globus, service.url, { isSaved: false });
    await stranger.client({ env }).putSecretKey('secret', { accessKey: 'AKIA1' });
    expect(await stranger.client({ env }).retrieveKey()).toMatchObject({ secretKey: 'secret' });
    expect(service.seen).toEqual([]);
  });

  it('has two parts, and takes nothing else', async () => {
    const { diaspora, person } = await started();
    for (const wrong of ['', ' ', 'two words', 'line\nbreak', 'Schlüssel']) {
      await expect(diaspora.putSecretKey(wrong, { accessKey: 'A' })).rejects.toMatchObject({
        name: 'ConfigurationError',
        option: 'secretKey',
      });
    }
    await expect(diaspora.putSecretKey('secret')).rejects.toMatchObject({ option: 'accessKey' });
    await expect(
      person.client({ apiVersion: 'v1' }).putSecretKey('secret', { accessKey: 'A' }),
    ).rejects.toMatchObject({ option: 'accessKey' });
    expect(await diaspora.getSecretKey()).toBeNull();
  });

  it('that is good is not ended for one that could not be kept', async () => {
    const { service, person, diaspora } = await started();
    await diaspora.retrieveKey();
    const good = service.keys.get(person.signedIn.subject);
    const asked = service.seen.length;
    const { refreshToken, subject } = person.signedIn;
    // Not even root makes a directory below a file.
    const env = { ...person.env, DIASPORA_USER_DIR: join(person.store.path, 'below') };
    await expect(person.client({ env, refreshToken, subject }).createKey()).rejects.toMatchObject({
      code: 'TOKEN_STORE_UNUSABLE',
      message: expect.stringMatching(/No key was made, since it could not be kept: .*ENOTDIR/),
    });
    expect(service.lines.slice(asked)).toEqual([]);
    expect(service.keys.get(subject)).toBe(good);
    expect(good).toBeDefined();
  });

  it('that is new and cannot be kept after all is not passed off as kept', async () => {
    const { service, person, diaspora } = await started();
    service.fail({ status: 503, headers: { 'retry-after': '1' }, method: 'POST' });
    const made = diaspora.createKey();
    made.catch(() => {});
    while (service.lines.at(-1) !== 'POST /api/v3/key') await new Promise(setImmediate);
    writeFileSync(person.store.path, 'this is no database, and has been none'.repeat(99));
    await expect(made).rejects.toMatchObject({
      code: 'TOKEN_STORE_UNUSABLE',
      message: expect.stringContaining('The key could not be kept'),
    });
  });

  it('is had without a store: each process asks the service', async () => {
    const { service, person } = await started();
    const env = { DIASPORA_ISSUER: globus.issuer, DIASPORA_SERVICE_URL: service.url };
    const { refreshToken, subject } = person.signedIn;
    const homeless = (): DiasporaClient => person.client({ env, refreshToken, subject });
    const key = await homeless().retrieveKey();
    expect(await homeless().retrieveKey()).toEqual({ ...key, fresh: false });
    expect(await homeless().getSecretKey()).toBeNull();
    await expect(homeless().putSecretKey('s', { accessKey: 'a' })).rejects.toThrow(
      /DIASPORA_USER_DIR/,
    );
  });

  it('without its parts is no key', async () => {
    const { service, diaspora } = await started();
    for (const answer of [{}, { access_key: 'A' }, { access_key: 'A', secret_key: 'two words' }]) {
      service.fail({ status: 200, body: JSON.stringify({ status: 'success', ...answer }) });
      await expect(diaspora.retrieveKey()).rejects.toMatchObject({
        code: 'SERVICE_ANSWER_UNUSABLE',
      });
    }
    expect(await diaspora.getSecretKey()).toBeNull();
  });
});

describe('a key of v1', () => {
  it('is made once, and kept: the next one would end it', async () => {
    const { service, person, diaspora, another } = await started('v1');
    const key = await diaspora.retrieveKey();
    const { subject } = person.signedIn;
    expect(key).toEqual({
      version: 'v1',
      username: subject,
      secretKey: `made/1/for+${subject}`,
      endpoint: null,
      fresh: true,
    });
    expect(await another().retrieveKey()).toEqual({ ...key, fresh: false });
    expect(await another().connectionDetails()).toMatchObject({
      bootstrapBrokers: null,
      saslMechanism: 'SCRAM-SHA-512',
      username: subject,
      password: key.secretKey,
    });
    expect(service.lines).toEqual(['POST /v1/create_key']);
    await another().createKey();
    expect(await another().getSecretKey()).toBe(`made/2/for+${subject}`);
  });

  it('is made once where many look for it at once', async () => {
    const { service, another } = await started('v1');
    const keys = await Promise.all(Array.from({ length: 5 }, () => another().retrieveKey()));
    expect(new Set(keys.map(({ secretKey }) => secretKey)).size).toBe(1);
    expect(service.lines).toEqual(['POST /v1/create_key']);
  });

  it('is not asked for again where the answer was lost, since that would end the first', async () => {
    const { service, diaspora } = await started('v1');
    service.fail({ status: 'lost' });
    await expect(diaspora.createKey()).rejects.toThrow(/It may have been done all the same/);
    expect(service.lines).toEqual(['POST /v1/create_key']);
  });

  it('is not made where it could not be kept', async () => {
    const { service, person } = await started('v1');
    const { refreshToken, subject } = person.signedIn;
    const env = { DIASPORA_ISSUER: globus.issuer, DIASPORA_SERVICE_URL: service.url };
    const options = { apiVersion: 'v1', refreshToken, subject } as const;
    await expect(person.client({ ...options, env }).retrieveKey()).rejects.toThrow(
      /no place for the token store: set DIASPORA_USER_DIR/,
    );
    // Not even root makes a directory below a file.
    const home = join(person.store.path, 'below');
    const nowhere = person.client({ ...options, env: { ...env, DIASPORA_USER_DIR: home } });
    await expect(nowhere.createKey()).rejects.toMatchObject({
      code: 'TOKEN_STORE_UNUSABLE',
      message: expect.stringMatching(/No key was made, since it could not be kept: .*ENOTDIR/),
    });
    expect(service.seen).toEqual([]);
  });

  it('that another machine made works here once it is put', async () => {
    const { service, person, diaspora, another } = await started('v1');
    await diaspora.putSecretKey('password of elsewhere'.replaceAll(' ', '-'));
    expect(await another().retrieveKey()).toEqual({
      version: 'v1',
      username: person.signedIn.subject,
      secretKey: 'password-of-elsewhere',
      endpoint: null,
      fresh: false,
    });
    expect(service.seen).toEqual([]);
  });

  it('needs to be known whose it is', async () => {
    const service = await PublicService.start(globus);
    const stranger = await personAt(globus, service.url, { isSaved: false });
    const client = stranger.client({ apiVersion: 'v1' });
    for (const call of [
      () => client.putSecretKey('password'),
      () => client.retrieveKey(),
      () => client.subjectOpenid(),
      () => client.listTopics(),
    ]) {
      await expect(call()).rejects.toMatchObject({
        name: 'AuthenticationError',
        code: 'SUBJECT_UNKNOWN',
        message: expect.stringMatching(/request-token --save.*DIASPORA_SUBJECT/),
      });
    }
    const { refreshToken } = stranger.signedIn;
    const given = stranger.client({ apiVersion: 'v1', refreshToken });
    await expect(given.retrieveKey()).rejects.toMatchObject({
      name: 'ConfigurationError',
      option: 'subject',
      message: expect.stringContaining(
        'set the option "subject" or the environment variable DIASPORA_SUBJECT',
      ),
    });
    expect(service.seen).toEqual([]);
  });
});

const ownerOf = (apiVersion: 'v3' | 'v1', subject: string): KeyOwner => ({
  apiVersion,
  subject,
  isOwn: (row) => row.identity_id === subject,
});

describe('the store of keys', () => {
  const key = { secretKey: 'secret', accessKey: null, endpoint: null, createdAt: null };

  it('leaves the tokens as they are, and is its owner’s alone', async () => {
    const { person, diaspora } = await started();
    await diaspora.retrieveKey();
    expect(await person.store.read(eventService)).toMatchObject({
      ...rowOf(person.signedIn),
      expires_at_seconds: expect.any(Number),
      extra: { secret_key: expect.any(String), endpoint },
    });
    const home = person.store.directory ?? '';
    expect(readdirSync(home)).toEqual(['storage.db']);
    await diaspora.createKey();
    expect(readdirSync(home).sort()).toEqual(['service-key.lock', 'storage.db']);
    for (const file of readdirSync(home)) {
      expect(statSync(join(home, file)).mode & 0o777).toBe(0o600);
    }
  });

  it('keeps a key of each version, whichever came first', async () => {
    const { person } = await started();
    const subject = person.signedIn.subject;
    const v3 = person.client();
    const v1 = person.client({ apiVersion: 'v1' });
    const keys = [await v3.retrieveKey(), await v1.retrieveKey()];
    expect(await person.client().retrieveKey()).toMatchObject({ secretKey: keys[0]?.secretKey });
    expect(await person.client({ apiVersion: 'v1' }).retrieveKey()).toMatchObject({
      secretKey: keys[1]?.secretKey,
      username: subject,
    });
  });

  it('gives nobody the key of another person', async () => {
    const { service, person } = await started();
    const mine = await person.client().retrieveKey();
    const other = await globus.signIn('other@example.org');
    const { refreshToken, subject } = other;
    const guest = (): DiasporaClient => person.client({ refreshToken, subject });
    const theirs = await guest().retrieveKey();
    expect(theirs.secretKey).not.toBe(mine.secretKey);
    expect(await guest().getSecretKey()).toBe(theirs.secretKey);
    expect(await person.client().getSecretKey()).toBe(mine.secretKey);
    expect(service.lines).toEqual(['POST /api/v3/key', 'POST /api/v3/key']);
    // Nor is the person of the store taken for the owner of another refresh token.
    await expect(person.client({ refreshToken }).retrieveKey()).rejects.toThrow(/DIASPORA_SUBJECT/);
    const same = person.client({ refreshToken: person.signedIn.refreshToken });
    expect(await same.subjectOpenid()).toBe(person.signedIn.subject);
  });

  it('keeps a key through another sign-in of the same person, not through one of somebody else', async () => {
    const { person, diaspora } = await started();
    const { secretKey } = await diaspora.retrieveKey();
    await person.store.write(rowOf(await globus.signIn(person.signedIn.username)));
    expect(await person.client().getSecretKey()).toBe(secretKey);
    await person.store.write(rowOf(await globus.signIn('other@example.org')));
    expect(await person.client().getSecretKey()).toBeNull();
    expect(readFileSync(person.store.path, 'latin1')).not.toContain(secretKey);
  });

  it('that cannot be read is not taken for an empty one', async () => {
    const { service, person } = await started();
    await writeKey(person.store, ownerOf('v1', person.signedIn.subject), key);
    const { refreshToken, subject } = person.signedIn;
    const damaged = person.client({ apiVersion: 'v1', refreshToken, subject });
    writeFileSync(
      person.store.path,
      'this is no database, and has been none for a long time'.repeat(99),
    );
    await expect(damaged.retrieveKey()).rejects.toMatchObject({
      code: 'TOKEN_STORE_UNUSABLE',
      message: expect.stringContaining(person.store.path),
    });
    expect(service.seen).toEqual([]);
  });

  it('has a part for each issuer', async () => {
    const env = { DIASPORA_USER_DIR: temporaryDirectory() };
    const store = storeAt(globus, env);
    await writeKey(store, ownerOf('v1', 'ann'), key);
    const other = storeAt({ ...globus, issuer: 'http://127.0.0.1:1' }, env);
    expect(await readKey(other, ownerOf('v1', 'ann'))).toBeNull();
    expect(await readKey(store, ownerOf('v1', 'bob'))).toBeNull();
    expect(await readKey(store, ownerOf('v3', 'ann'))).toBeNull();
    expect(await readKey(store, ownerOf('v1', 'ann'))).toEqual(key);
  });
});
