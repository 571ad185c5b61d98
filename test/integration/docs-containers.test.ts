/** The page of containers: its app as process 1 in a read-only root without HOME, with a Secret as Kubernetes mounts it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { freePorts } from '../../stack/free-ports.ts';
import { confidentialClient } from '../../stack/globus-facts.ts';
import { sharedStack } from '../shared-stack.ts';
import { buildPackage } from './built-package.ts';
import { type Container, hasNamespaces, type Mount, startContainer } from './container.ts';
import { DocsPage } from './docs-page.ts';
import { MountedSecret } from './mounted-secret.ts';
import { SnippetDirectory } from './snippet-directory.ts';
import { messagesOf, newTopic } from './topic-content.ts';

const page = new DocsPage('containers.md');
const text = z.record(z.string(), z.string());
const deployment = z
  .object({
    spec: z.object({
      template: z.object({
        spec: z.object({
          terminationGracePeriodSeconds: z.number(),
          containers: z.tuple([
            z.object({
              env: z.array(z.object({ name: z.string(), value: z.string() })),
              volumeMounts: z.tuple([z.object({ name: z.string(), mountPath: z.string() })]),
              securityContext: z.object({ readOnlyRootFilesystem: z.literal(true) }),
            }),
          ]),
          volumes: z.tuple([
            z.object({ name: z.string(), secret: z.object({ secretName: z.string() }) }),
          ]),
        }),
      }),
    }),
  })
  .parse(parse(page.file('deployment.yaml').code)).spec.template.spec;
const [pod] = deployment.containers;
const podEnv = Object.fromEntries(pod.env.map(({ name, value }) => [name, value]));
const tokenFile = podEnv['DIASPORA_REFRESH_FILE'] ?? '';
const dockerfile = page.file('Dockerfile').code;
const command = z.array(z.string()).parse(JSON.parse(/^CMD (.+)$/m.exec(dockerfile)?.[1] ?? ''));

describe('The manifests of the page', () => {
  it('hang together: the Secret is mounted where the app looks for it', () => {
    const secret = z
      .object({ metadata: z.object({ name: z.string() }), stringData: text })
      .parse(parse(page.file('secret.yaml').code));
    const [volume] = deployment.volumes;
    const [mount] = pod.volumeMounts;
    expect(volume.secret.secretName).toBe(secret.metadata.name);
    expect(mount.name).toBe(volume.name);
    expect(Object.keys(secret.stringData).map((key) => `${mount.mountPath}/${key}`)).toEqual([
      tokenFile,
    ]);
    expect(text.parse(parse(page.file('environment.yaml').code))).toEqual(podEnv);
  });

  it('give Compose’s app the same, under the path at which Compose mounts secrets', () => {
    const compose = z
      .object({
        services: z.object({
          'my-app': z.object({
            environment: text,
            secrets: z.array(z.string()),
            read_only: z.literal(true),
            stop_grace_period: z.string(),
          }),
        }),
        secrets: z.record(z.string(), z.object({ file: z.string() })),
      })
      .parse(parse(page.file('compose.yaml').code));
    const app = compose.services['my-app'];
    expect(app.secrets).toEqual(Object.keys(compose.secrets));
    expect(app.environment).toEqual({
      ...podEnv,
      DIASPORA_REFRESH_FILE: `/run/secrets/${app.secrets[0]}`,
    });
    expect(app.stop_grace_period).toBe(`${deployment.terminationGracePeriodSeconds}s`);
  });

  it('leave time for the app’s own requests, closeTimeoutMs and Pino, in that order', () => {
    const rows = [...page.text.matchAll(/^\| .*?([\d]+) s \|$/gm)].map(([, seconds]) =>
      Number(seconds),
    );
    const [own = 0, closing = 0, grace = 0] = rows;
    const { code } = page.file('app.js');
    expect(code).toContain(`closeTimeoutMs: ${closing}_000`);
    expect(code).toContain(`closeAllConnections(), ${own}_000)`);
    expect(grace).toBe(deployment.terminationGracePeriodSeconds);
    expect(grace).toBeGreaterThan(own + 10);
  });

  it('build on a Node that the package supports, and start it without a shell', () => {
    const [, major] = /^FROM node:(\d+)/m.exec(dockerfile) ?? [];
    expect(Number(major)).toBeGreaterThanOrEqual(22);
    expect(command).toEqual(['node', 'app.js']);
  });

  it('leave the refresh token out of the image', () => {
    const copied = [...dockerfile.matchAll(/^COPY (.+) \.\/$/gm)].flatMap(([, files = '']) =>
      files.split(' '),
    );
    expect(copied).toEqual(['package.json', 'package-lock.json', 'app.js']);
    const [, secret] = /file: (.+)/.exec(page.file('compose.yaml').code) ?? [];
    expect(secret).toMatch(/^\.\.\//);
  });
});

describe('As process 1, all read-only, without HOME,', () => {
  const stack = sharedStack();
  const directory = new SnippetDirectory(page);
  const { DIASPORA_ISSUER, DIASPORA_CA_FILE, DIASPORA_BOOTSTRAP } = stack.env;
  const secrets: MountedSecret[] = [];
  const deadLetters = mkdtempSync(join(tmpdir(), 'dead-letters-'));

  beforeAll(() => buildPackage());
  afterAll(() => {
    directory[Symbol.dispose]();
    for (const secret of secrets) secret[Symbol.dispose]();
    rmSync(deadLetters, { recursive: true });
  });

  beforeEach((context) => {
    if (!hasNamespaces) context.skip('this user may not make namespaces');
  });

  /** The page's Secret, mounted where the page has it, with this token in it. */
  function secretWith(token: string): { secret: MountedSecret; mount: Mount } {
    const secret = new MountedSecret();
    secrets.push(secret);
    secret.put(basename(tokenFile), token);
    return { secret, mount: { source: secret.directory, target: pod.volumeMounts[0].mountPath } };
  }

  interface Started {
    readonly app: Container;
    readonly topic: string;
    ask(path: string): Promise<string>;
  }

  /** The page's app, with the page's environment, but for where the stack is. */
  async function start(
    mounts: Mount[],
    change: Record<string, string | undefined> = {},
    program: readonly string[] = command,
  ): Promise<Started> {
    const topic = await newTopic('container');
    const [port = 0] = await freePorts(1);
    const own = { DIASPORA_ISSUER, DIASPORA_CA_FILE, DIASPORA_BOOTSTRAP, DIASPORA_TOPIC: topic };
    const all = { ...podEnv, ...own, PORT: String(port), ...change };
    const env = text.parse(JSON.parse(JSON.stringify(all)));
    const app = startContainer({ command: program, directory: directory.path, env, mounts });
    const ask = async (path: string): Promise<string> => {
      const ended = app.ended.then((end) => Promise.reject(new Error(JSON.stringify(end))));
      ended.catch(() => undefined);
      for (;;) {
        const answer = fetch(`http://127.0.0.1:${port}${path}`).catch(() => null);
        const response = await Promise.race([answer, ended]);
        if (response !== null) return response.text();
      }
    };
    return { app, topic, ask };
  }

  it('the stand-in for a container is one', async () => {
    const code = `
      const { writeFileSync } = require('node:fs');
      const { homedir } = require('node:os');
      const refused = ['/x', '/tmp/x', '/run/x', '/app.js'].map((path) => {
        try { writeFileSync(path, ''); return 'written'; } catch (error) { return error.code; }
      });
      console.log(JSON.stringify({ pid: process.pid, refused, names: Object.keys(process.env) }));`;
    const { ended } = startContainer({
      command: ['node', '-e', code],
      directory: '/',
      env: { A: '1' },
    });
    const { stdout } = await ended;
    expect(JSON.parse(stdout)).toEqual({
      pid: 1,
      refused: ['EROFS', 'EROFS', 'EROFS', 'EROFS'],
      names: expect.not.arrayContaining(['HOME']),
    });
  });

  it('the app delivers everything up to its last word after SIGTERM', async () => {
    const { mount } = secretWith((await stack.globus.signIn()).refreshToken);
    const { app, topic, ask } = await start([mount]);
    for (let i = 0; i < 20; i += 1) expect(await ask(`/${i}`)).toBe('ok\n');
    app.kill('SIGTERM');
    expect(await app.ended).toMatchObject({ code: 0, stderr: '' });
    const asked = Array.from({ length: 20 }, () => 'asked');
    expect(await messagesOf(topic)).toEqual(['started', ...asked, 'stopped']);
  });

  it('the app takes a new token from the Secret, and delivers what had waited', async () => {
    const { refreshToken: revoked } = await stack.globus.signIn();
    await stack.globus.revoke(revoked);
    const { secret, mount } = secretWith(revoked);
    const { app, topic, ask } = await start([mount]);
    await ask('/early');
    await app.complained('diaspora-logger REFRESH_TOKEN_INVALID');
    secret.put(basename(tokenFile), (await stack.globus.signIn()).refreshToken);
    await expect.poll(() => messagesOf(topic), { timeout: 30_000 }).toContain('asked');
    app.kill('SIGTERM');
    expect(await app.ended).toMatchObject({ code: 0 });
    expect(await messagesOf(topic)).toEqual(['started', 'asked', 'stopped']);
  });

  it('the app signs in as a registered service, without a Secret of its own', async () => {
    const principal = `${confidentialClient.clientId}@clients.auth.globus.org`;
    const { app, topic, ask } = await start([], {
      DIASPORA_REFRESH_FILE: undefined,
      DIASPORA_SDK_CLIENT_ID: confidentialClient.clientId,
      DIASPORA_SDK_CLIENT_SECRET: confidentialClient.clientSecret,
    });
    await stack.grant(principal, { topic }, ['WRITE', 'DESCRIBE']);
    await stack.grant(principal, 'cluster', ['IDEMPOTENT_WRITE']);
    await ask('/');
    await expect.poll(() => messagesOf(topic), { timeout: 30_000 }).toContain('asked');
    app.kill('SIGTERM');
    expect(await app.ended).toMatchObject({ code: 0 });
    expect(await messagesOf(topic)).toEqual(['started', 'asked', 'stopped']);
  });

  it('a refresh token that Globus replaces is kept in memory, and the app says so', async () => {
    const { mount } = secretWith((await stack.globus.signIn()).refreshToken);
    await stack.globus.set({ rotateRefreshTokens: true });
    try {
      const { app, topic, ask } = await start([mount]);
      await ask('/');
      app.kill('SIGTERM');
      const { code, stderr } = await app.ended;
      expect(code).toBe(0);
      expect(stderr).toMatch(/TOKEN_ROTATED: .*held in memory alone.*EROFS/);
      expect(await messagesOf(topic)).toEqual(['started', 'asked', 'stopped']);
    } finally {
      await stack.globus.reset();
    }
  });

  it('the app does not wait for a request without end', async () => {
    const { code } = page.file('app.js');
    const impatient = code
      .replace("response.end('ok\\n')", "response.write('ok\\n'); console.log('open')")
      .replace('10_000', '100');
    writeFileSync(join(directory.path, 'impatient.js'), impatient);
    const { mount } = secretWith((await stack.globus.signIn()).refreshToken);
    const { app, topic, ask } = await start([mount], {}, ['node', 'impatient.js']);
    const cut = expect(ask('/')).rejects.toThrow('terminated');
    await app.said('open');
    app.kill('SIGTERM');
    await cut;
    expect(await app.ended).toMatchObject({ code: 0 });
    expect(await messagesOf(topic)).toEqual(['started', 'asked', 'stopped']);
  });

  it('an app without a handler runs on after SIGTERM', async () => {
    const { code } = page.file('app.js');
    const handler = code.indexOf('for (const signal');
    expect(handler).toBeGreaterThan(0);
    writeFileSync(join(directory.path, 'deaf.js'), code.slice(0, handler));
    const { mount } = secretWith((await stack.globus.signIn()).refreshToken);
    const { app, ask } = await start([mount], {}, ['node', 'deaf.js']);
    await ask('/');
    app.kill('SIGTERM');
    expect(await ask('/')).toBe('ok\n');
    app.kill('SIGKILL');
    expect(await app.ended).not.toMatchObject({ code: 0 });
  });

  it('dead-letters.js keeps what no broker took on its volume, and ends in time', async () => {
    const { code } = page.file('dead-letters.js');
    const [, target = ''] = /deadLetter: '([^']+)'/.exec(code) ?? [];
    const { mount } = secretWith((await stack.globus.signIn()).refreshToken);
    const options = {
      command: ['node', 'dead-letters.js'],
      directory: directory.path,
      env: { ...podEnv, DIASPORA_ISSUER, DIASPORA_CA_FILE, DIASPORA_BOOTSTRAP: 'localhost:1' },
    };
    const begun = performance.now();
    const app = startContainer({
      ...options,
      mounts: [mount, { source: deadLetters, target, writable: true }],
    });
    const end = await app.ended;
    expect(end.code).toBe(0);
    expect(end.stderr).toContain('NOT_DELIVERED');
    expect(performance.now() - begun).toBeLessThan(
      deployment.terminationGracePeriodSeconds * 1_000,
    );
    const [kept = ''] = readdirSync(deadLetters);
    expect(readFileSync(join(deadLetters, kept), 'utf8')).toContain(
      'kept, if no broker can be reached',
    );

    const refused = await startContainer({ ...options, mounts: [mount] }).ended;
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /ConfigurationError: Option "deadLetter": cannot write to the directory /,
    );
  });

  it.each([
    [
      'whose Secret is not there',
      {},
      /CREDENTIALS_MISSING: .*the file \/run\/secrets\/.* cannot be read \(ENOENT\)/,
    ],
    [
      'that is told of none',
      { DIASPORA_REFRESH_FILE: undefined },
      /CREDENTIALS_MISSING: No Globus refresh token/,
    ],
  ])('an app %s says so, and ends well', async (_which, change, words) => {
    const { app, ask } = await start([], change);
    await ask('/');
    app.kill('SIGTERM');
    const { code, stderr } = await app.ended;
    expect(code).toBe(0);
    expect(stderr).toMatch(words);
  });

  it('has no snippet that was not tested', () => {
    expect(page.untested()).toEqual([]);
  });
});
