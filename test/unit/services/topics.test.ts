import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { PublicService } from './public-service.ts';
import { personAt } from './signed-in-client.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterAll(() => globus.stop());

/** What no request is made of. */
const unsendable = ['', '/', 'a/b', '.', '..', 'new\nline', 'bell\u0007', 'half \ud800'];

describe('topics of v3', () => {
  it('are registered once, listed and unregistered, and the namespace is made for them', async () => {
    const service = await PublicService.start(globus);
    const { client, signedIn } = await personAt(globus, service.url);
    const diaspora = client();
    const namespace = `ns-${signedIn.subject.slice(-12)}`;
    expect(await diaspora.subjectOpenid()).toBe(signedIn.subject);
    expect(await diaspora.namespace()).toBe(namespace);
    expect(await diaspora.listTopics()).toEqual([]);
    expect(await diaspora.registerTopic('first-topic')).toEqual({
      status: 'success',
      message: `Topic first-topic created in ${namespace}`,
      topics: ['first-topic'],
    });
    expect(await diaspora.registerTopic('first-topic')).toEqual({
      status: 'no-op',
      message: `Topic first-topic already exists in ${namespace}`,
      topics: ['first-topic'],
    });
    expect(await diaspora.listTopics()).toEqual(['first-topic']);
    expect(await diaspora.unregisterTopic('first-topic')).toEqual({
      status: 'success',
      message: `Topic first-topic deleted from ${namespace}`,
      topics: [],
    });
    expect(await diaspora.unregisterTopic('first-topic')).toMatchObject({
      status: 'no-op',
      topics: [],
    });
    expect(service.lines.filter((line) => line.endsWith('/user'))).toHaveLength(1);
  });

  it('are recreated where they are registered, and left alone where they are not', async () => {
    const service = await PublicService.start(globus);
    const diaspora = (await personAt(globus, service.url)).client();
    await diaspora.registerTopic('numbers');
    expect(await diaspora.recreateTopic('numbers')).toEqual({
      status: 'success',
      message: 'Topic recreated',
      topics: ['numbers'],
    });
    const asked = service.seen.length;
    expect(await diaspora.recreateTopic('letters')).toMatchObject({
      status: 'no-op',
      topics: ['numbers'],
    });
    expect(service.lines.slice(asked)).toEqual(['GET /api/v3/namespace']);
  });

  it('have the names that the service allows, and it says so itself', async () => {
    const service = await PublicService.start(globus);
    const diaspora = (await personAt(globus, service.url)).client();
    await expect(diaspora.registerTopic('ab')).rejects.toMatchObject({
      name: 'ServiceError',
      code: 'SERVICE_REFUSED',
      status: 200,
      retriable: false,
      message: `The Diaspora service at ${service.url} refused to register the topic "ab": Name must be between 3 and 32 characters.`,
    });
    await expect(diaspora.registerTopic('Größe 100% ?x#y')).rejects.toThrow(
      /letters, numbers, dash, and underscore/,
    );
    expect(service.lines.at(-1)).toMatch(
      /^POST \/api\/v3\/ns-[\da-f]{12}\/Gr%C3%B6%C3%9Fe%20100%25%20%3Fx%23y$/,
    );
  });

  it.each(unsendable)('named %j are not sent, since that is another address', async (name) => {
    const service = await PublicService.start(globus);
    const diaspora = (await personAt(globus, service.url)).client();
    for (const method of ['registerTopic', 'unregisterTopic', 'recreateTopic'] as const) {
      await expect(diaspora[method](name)).rejects.toMatchObject({
        name: 'ConfigurationError',
        option: 'topic',
      });
    }
    expect(service.seen).toEqual([]);
  });

  it('are registered with success where the answer was lost, and the request was sent again', async () => {
    const service = await PublicService.start(globus);
    const diaspora = (await personAt(globus, service.url)).client();
    await diaspora.registerTopic('first-topic');
    service.fail({ status: 'lost', method: 'POST' });
    expect(await diaspora.registerTopic('second-topic')).toMatchObject({
      status: 'success',
      topics: ['first-topic', 'second-topic'],
    });
    expect(service.lines.filter((line) => line.includes('second-topic'))).toHaveLength(2);
  });

  it('are recreated once only where the answer was lost', async () => {
    const service = await PublicService.start(globus);
    const diaspora = (await personAt(globus, service.url)).client();
    await diaspora.registerTopic('numbers');
    service.fail({ status: 'lost', method: 'PUT' });
    await expect(diaspora.recreateTopic('numbers')).rejects.toThrow(
      /may have been done all the same/,
    );
    expect(service.lines.filter((line) => line.startsWith('PUT'))).toHaveLength(1);
  });
});

describe('a change that the service made', () => {
  it.each([
    ['v3', 'registerTopic', ['numbers', 'letters']],
    ['v3', 'unregisterTopic', ['numbers']],
    ['v3', 'recreateTopic', ['numbers', 'letters']],
    ['v1', 'registerTopic', ['numbers', 'letters']],
    ['v1', 'unregisterTopic', ['numbers']],
  ] as const)('in %s by %s depends on no request after it', async (apiVersion, method, topics) => {
    const service = await PublicService.start(globus);
    const diaspora = (await personAt(globus, service.url)).client({ apiVersion });
    await diaspora.registerTopic('numbers');
    if (method !== 'registerTopic') await diaspora.registerTopic('letters');
    expect(await diaspora[method]('letters')).toMatchObject({ status: 'success', topics });
    expect(service.lines.at(-1)).not.toMatch(/^GET/);
    expect(await diaspora.listTopics()).toEqual(topics);
  });
});

describe('topics of v1', () => {
  it('are registered once, listed and unregistered, by headers', async () => {
    const service = await PublicService.start(globus);
    const { client, signedIn } = await personAt(globus, service.url);
    const diaspora = client({ apiVersion: 'v1' });
    expect(await diaspora.listTopics()).toEqual([]);
    expect(await diaspora.registerTopic('my.first-topic')).toMatchObject({
      status: 'success',
      topics: ['my.first-topic'],
    });
    expect(await diaspora.registerTopic('my.first-topic')).toMatchObject({ status: 'no-op' });
    expect(await diaspora.listTopics()).toEqual(['my.first-topic']);
    expect(await diaspora.unregisterTopic('my.first-topic')).toMatchObject({
      status: 'success',
      topics: [],
    });
    expect(await diaspora.unregisterTopic('my.first-topic')).toMatchObject({ status: 'no-op' });
    const change = service.seen.find(({ line }) => line === 'POST /v1/register_topic');
    expect(change?.headers).toMatchObject({
      subject: signedIn.subject,
      topic: 'my.first-topic',
      'content-length': '0',
    });
    expect(await diaspora.namespace()).toBe(`ns-${signedIn.subject.slice(-12)}`);
  });

  it('cannot be recreated', async () => {
    const service = await PublicService.start(globus);
    const diaspora = (await personAt(globus, service.url)).client({ apiVersion: 'v1' });
    await expect(diaspora.recreateTopic('numbers')).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: expect.stringContaining('Only v3'),
    });
    expect(service.seen).toEqual([]);
  });

  it.each([...unsendable.filter((name) => !/^[/.]+$|^a\/b$/.test(name)), 'Größe', 'two words'])(
    'named %j are not sent, since no header holds them',
    async (name) => {
      const service = await PublicService.start(globus);
      const diaspora = (await personAt(globus, service.url)).client({ apiVersion: 'v1' });
      await expect(diaspora.registerTopic(name)).rejects.toMatchObject({
        name: 'ConfigurationError',
      });
      expect(service.seen).toEqual([]);
    },
  );
});
