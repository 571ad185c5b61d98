import { execFile, spawnSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DiasporaLogger } from '../../src/produce/logger.ts';
import { DiasporaClient } from '../../src/services/diaspora-client.ts';
import { confidentialClient } from '../../stack/globus-facts.ts';
import { sharedStack } from '../shared-stack.ts';
import { pythonWith } from '../support/python.ts';
import { type Account, Accounts } from './account.ts';
import { buildPackage } from './built-package.ts';
import { type CommandEnd, type Env, runCommand, startCommand } from './command.ts';
import { DocsPage } from './docs-page.ts';
import { SnippetDirectory } from './snippet-directory.ts';
import { valuesOf } from './topic-content.ts';

const stack = sharedStack();
const accounts = new Accounts(stack);

let person: Account;
beforeAll(async () => {
  await buildPackage();
  person = await accounts.signedIn('docs@example.org');
}, 300_000);
afterEach(async () => {
  await stack.globus.reset();
  await stack.topicService.reset();
});
afterAll(() => accounts[Symbol.dispose]());

/** Runs a page's commands in a shell, in the order of the page; answers what all of them printed on stdout. */
async function runInShell(
  directory: SnippetDirectory,
  commands: readonly string[],
  env: Env,
): Promise<string> {
  const { code, stdout, stderr } = await directory.startShell(commands.join('\n'), env).ended;
  if (code !== 0) throw new Error(`The shell ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** First words of each line of a two-column table. */
const namesIn = (table: string): string[] =>
  table
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/)[0] ?? '');

/** Rows of the tables under "When it goes wrong": what is seen, and the exit code. */
function faultsOf(page: DocsPage): (readonly [seen: string, code: number])[] {
  const section = page.text.slice(page.text.indexOf('## When it goes wrong'));
  const rows = [...section.matchAll(/^\| `([^`]+)` \|.*\| (\d+) \|$/gm)];
  const all = section.match(/^\| (?!you see|---).*\|$/gm) ?? [];
  if (rows.length !== all.length) throw new Error('A row of the table cannot be read.');
  return rows.map(([, seen = '', code = '']) => [seen, Number(code)] as const);
}

type Provoked = Readonly<Record<string, () => Promise<CommandEnd>>>;

/** Each row of the page's table, brought about. */
function itGoesWrongAsTold(page: DocsPage, provoked: Provoked): void {
  it('tells of nothing that this test does not bring about', () => {
    expect(Object.keys(provoked).sort()).toEqual(
      faultsOf(page)
        .map(([seen]) => seen)
        .sort(),
    );
  });

  it.each(faultsOf(page))('goes wrong as told: %s', async (seen, code) => {
    const end = await provoked[seen]?.();
    expect(end?.err).toContain(seen);
    expect(end?.code).toBe(code);
  });
}

const nowhere = 'http://127.0.0.1:1';

/** A command of the person's, with changes of the environment. */
const run = (args: readonly string[], change: Env = {}, input = ''): Promise<CommandEnd> =>
  runCommand(args, { env: { ...person.env, ...change }, input });

/** A command of somebody who has not signed in. */
const runAsNobody = (args: readonly string[], change: Env = {}): Promise<CommandEnd> =>
  runCommand(args, { env: { ...accounts.newcomer().env, ...change } });

/** A command of somebody whose refresh token was ended. */
async function runRevoked(args: readonly string[]): Promise<CommandEnd> {
  const other = await accounts.signedIn();
  const [token = ''] = (await other.store.readAll()).map((row) => row.refresh_token ?? '');
  for (const row of await other.store.readAll())
    await stack.globus.revoke(row.refresh_token ?? token);
  return runCommand(args, { env: other.env });
}

/** A command of somebody whose token store is damaged. */
function runDamaged(args: readonly string[], change: Env = {}): Promise<CommandEnd> {
  const { store, env } = accounts.newcomer();
  writeFileSync(store.path, 'this is no database '.repeat(100));
  return runCommand(args, { env: { ...env, ...change } });
}

describe('docs/sign-in.md', () => {
  const page = new DocsPage('sign-in.md');

  it('shows commands that work, and a table like theirs', async () => {
    const [save, ...others] = page.commands();
    // In request-token.test.ts, with somebody who signs in.
    expect(save).toBe('npx diaspora-logger request-token --save');
    const [whoami, file = '', subject = '', inContainer = '', id, secret, asService, logout] =
      others;
    const leaving = await accounts.signedIn();
    const { refreshToken } = await stack.globus.signIn(leaving.username);
    const secretFile = join(accounts.directory(), 'refresh');
    writeFileSync(secretFile, refreshToken);
    using directory = new SnippetDirectory();
    const told = await runInShell(directory, [whoami ?? ''], leaving.env);
    const [table] = page.ofLanguage('text');
    expect(namesIn(told)).toEqual(namesIn(table?.code ?? ''));

    expect(file).toMatch(/^export DIASPORA_REFRESH_FILE=/);
    const inFile = [`export DIASPORA_REFRESH_FILE=${secretFile}`, subject, inContainer];
    const told2 = await runInShell(directory, inFile, accounts.newcomer().env);
    expect(told2).toContain(secretFile);
    expect(told2).toContain(subject.split('=')[1]);

    expect(id).toBe(`export DIASPORA_SDK_CLIENT_ID=${confidentialClient.clientId}`);
    expect(secret).toMatch(/^export DIASPORA_SDK_CLIENT_SECRET='.+'$/);
    const own = [
      id ?? '',
      `export DIASPORA_SDK_CLIENT_SECRET='${confidentialClient.clientSecret}'`,
    ];
    const told3 = await runInShell(directory, [...own, asService ?? ''], accounts.newcomer().env);
    expect(told3).toContain('@clients.auth.globus.org');

    expect(await runInShell(directory, [logout ?? ''], leaving.env)).toMatch(/^Logged out: /);
    expect(page.untested()).toEqual([]);
  });

  itGoesWrongAsTold(page, {
    'No Globus refresh token': () => runAsNobody(['whoami']),
    'The refresh token is no longer good': () => runRevoked(['whoami']),
    'cannot be read': () => runDamaged(['whoami']),
    'gives no token: ECONNREFUSED': () =>
      runAsNobody(['whoami', '--issuer', nowhere], { DIASPORA_REFRESH: 'a-refresh-token' }),
    'takes an https URL': () => run(['whoami', '--issuer', 'http://auth.example.org']),
    'still holds the refresh token: unset it': async () => {
      const { refreshToken } = await stack.globus.signIn();
      return runAsNobody(['logout'], { DIASPORA_REFRESH: refreshToken });
    },
    'holds another sign-in': async () => {
      const { refreshToken } = await stack.globus.signIn();
      return run(['logout'], { DIASPORA_REFRESH: refreshToken });
    },
    'has not ended the token: ECONNREFUSED': () =>
      runAsNobody(['logout', '--issuer', nowhere], { DIASPORA_REFRESH: 'a-refresh-token' }),
  });
});

describe('docs/claim.md', () => {
  const page = new DocsPage('claim.md');

  it('shows commands that work, and what they print', async () => {
    const commands = page.commands();
    expect(commands).toHaveLength(5);
    using directory = new SnippetDirectory();
    const printed = await runInShell(directory, commands.slice(0, 2), person.env);
    const [text] = page.ofLanguage('text');
    const own = (shown: string): string => shown.replaceAll(/ns-[\da-f]{12}/g, 'ns-…');
    expect(own(printed)).toBe(own(text?.code ?? ''));
    const rest = await runInShell(directory, commands.slice(2), person.env);
    expect(rest.match(/^success: /gm)).toHaveLength(3);
  });

  it('shows a program that works', async () => {
    using directory = new SnippetDirectory();
    directory.write(page.file('topics.js'));
    const { stdout } = await directory.run('topics.js', { env: person.env });
    expect(stdout).toMatch(/^(success|no-op): .+\nns-[\da-f]{12}\.sensor-log\n$/);
    expect(page.untested()).toEqual([]);
  });

  itGoesWrongAsTold(page, {
    'Nobody has signed in here': () => runAsNobody(['topics', 'list']),
    'A refresh token does not tell whose it is': async () => {
      const { refreshToken } = await stack.globus.signIn();
      return runAsNobody(['topics', 'list'], { DIASPORA_REFRESH: refreshToken });
    },
    'is no longer good': () => runRevoked(['topics', 'list']),
    'set DIASPORA_SUBJECT to the subject claim': () =>
      run(['topics', 'list'], { DIASPORA_SUBJECT: accounts.newcomer().subject }),
    'refused to register the topic': () => run(['topics', 'register', 'a']),
    'refused to claim the topic': async () => {
      const other = await accounts.signedIn();
      await runCommand(['topics', 'claim', 'taken_topic'], { env: other.env });
      return run(['topics', 'claim', 'taken_topic']);
    },
    'is no name of a topic': () => run(['topics', 'register', 'a/b']),
    'Say --yes where nobody can be asked': () => run(['topics', 'unregister', 'any-topic']),
    'Only v3 of the Diaspora service recreates topics': () =>
      run(['topics', 'recreate', 'any-topic', '--yes', '--api-version', 'v1']),
    'gives no answer: ECONNREFUSED': () => run(['topics', 'list', '--service-url', nowhere]),
    'cannot do so now': async () => {
      await stack.topicService.set({ fault: { kind: 'status' } });
      return run(['topics', 'list']);
    },
    'is this the address of a Diaspora service': async () => {
      await stack.topicService.set({ fault: { kind: 'garbage' } });
      return run(['topics', 'list']);
    },
  });
});

describe('docs/keys.md', () => {
  const page = new DocsPage('keys.md');
  const jq = 'jq';
  const hasJq = spawnSync(jq, ['--version']).status === 0;

  it('shows commands that work, and what they print', async () => {
    const [create = '', wait = '', show = '', put = '', look = '', ...more] = page.commands();
    expect(more).toEqual([]);
    using directory = new SnippetDirectory();
    const printed = await runInShell(directory, [create, wait], person.env);
    const [text] = page.ofLanguage('text');
    const shape = (shown: string): string[] =>
      namesIn(shown).map((name) => name.replace(/\d+ s$/, '…'));
    expect(shape(printed)).toEqual(shape(text?.code ?? ''));
    await runInShell(directory, [show], person.env);
    if (!hasJq) return;
    const second = accounts.newcomer();
    const there = await runInShell(directory, [put, look], second.env);
    expect(there).toContain('access key');
    const worked = ['wait-ready', '--topic', `ns-${person.subject.slice(-12)}.connection-test`];
    expect(await runCommand(worked, { env: second.env })).toMatchObject({ code: 0 });
  });

  it('shows a program that works', async () => {
    using directory = new SnippetDirectory();
    directory.write(page.file('ready.js'));
    const { stdout } = await directory.run('ready.js', { env: person.env });
    expect(stdout).toMatch(/^stored in partition 0 at offset \d+\n$/);
    expect(page.untested()).toEqual([]);
  });

  itGoesWrongAsTold(page, {
    'No key of v3 is stored here': () => runAsNobody(['keys', 'show']),
    'Earlier keys end': () => run(['keys', 'create']),
    'A key of v3 has two parts': () => run(['keys', 'put'], {}, 'secret\n'),
    'A key of v1 is a secret alone': () =>
      run(['keys', 'put', '--api-version', 'v1', '--access-key', 'A'], {}, 'secret\n'),
    'standard input holds nothing': () => run(['keys', 'put', '--access-key', 'A']),
    'cannot be written': () =>
      runDamaged(['keys', 'put', '--access-key', 'A', '--secret-from', 'MOVED'], {
        MOVED: 'secret',
        DIASPORA_SUBJECT: person.subject,
      }),
    'The key is not kept': async () => {
      const { username, subject, env } = accounts.newcomer();
      const { refreshToken } = await stack.globus.signIn(username);
      const signedIn = { DIASPORA_REFRESH: refreshToken, DIASPORA_SUBJECT: subject };
      return runCommand(['keys', 'create', '--yes'], {
        env: { ...env, ...signedIn, DIASPORA_USER_DIR: '', HOME: '' },
      });
    },
    'Nobody has signed in here': () => runAsNobody(['keys', 'create', '--yes']),
    'not ready within': () =>
      run(['wait-ready', '--brokers', 'localhost:1', '--max-minutes', '0.05']),
    '"topic" is needed': () => run(['wait-ready', '--auth', 'globus']),
    'Interrupted: not ready': async () => {
      const args = ['wait-ready', '--brokers', 'localhost:1'];
      const command = startCommand(args, { env: person.env });
      await command.said('not ready yet');
      command.kill('SIGINT');
      return command.ended;
    },
  });
});

describe('docs/connection.md', () => {
  const page = new DocsPage('connection.md');

  it('shows commands that work, and a table like theirs', async () => {
    const [table = '', ...files] = page.commands();
    using directory = new SnippetDirectory();
    const env = { ...person.env, DIASPORA_USERNAME: 'me', DIASPORA_PASSWORD: 'any password' };
    const printed = await runInShell(directory, [table], env);
    const [text] = page.ofLanguage('text');
    expect(namesIn(printed)).toEqual(namesIn(text?.code ?? ''));
    await runInShell(directory, files, env);
    const python = await pythonWith('requirements.txt');
    for (const name of ['hello.py', 'hello_confluent.py']) {
      await promisify(execFile)(python, ['-m', 'py_compile', join(directory.path, name)]);
    }
    expect(page.untested()).toEqual([]);
  });

  const hidden = ['connection', '--auth', 'scram', '--kcat'] as const;
  const scram = { DIASPORA_USERNAME: 'me', DIASPORA_PASSWORD: 'any password' };
  itGoesWrongAsTold(page, {
    'No broker': () => run(['connection'], { DIASPORA_BOOTSTRAP: '' }),
    'No Globus refresh token to show': () => runAsNobody(['connection', '--show-secrets']),
    'kcat cannot sign in with a token': () => run(['connection', '--kcat']),
    'exclude each other': () => run(['connection', '--kcat', '--json']),
    '--out goes with --java or --kcat': () => run(['connection', '--python', '--out', '.']),
    'Cannot write the file to the directory': () => run([...hidden, '--out', '/no/such'], scram),
    'is not overwritten': () => {
      const out = accounts.directory();
      writeFileSync(join(out, 'kcat.conf'), 'mine=1\n');
      return run([...hidden, '--out', out], scram);
    },
    'kcat cannot read a value': () =>
      run(hidden, { ...scram, DIASPORA_USERNAME: String.raw`a\:b` }),
    'read PEM keys in PKCS8 alone': () => {
      const { certFile, keyFile } = stack.clientCertificate;
      const key = join(accounts.directory(), 'key.pem');
      const older = createPrivateKey(readFileSync(keyFile)).export({
        type: 'sec1',
        format: 'pem',
      });
      writeFileSync(key, older);
      const args = [
        'connection',
        '--auth',
        'mtls',
        '--cert',
        certFile,
        '--cert-key',
        key,
        '--java',
      ];
      return run(args, {});
    },
    'reads no PKCS12': () => {
      const { pfxFile, passphrase } = stack.clientCertificate;
      return run(['connection', '--auth', 'mtls', '--pfx', pfxFile, '--python'], {
        DIASPORA_TLS_PASSPHRASE: passphrase,
      });
    },
    'holds the PEM text itself': () => {
      const config = join(accounts.directory(), 'options.json');
      writeFileSync(config, JSON.stringify({ tls: { ca: readFileSync(stack.caFile, 'utf8') } }));
      return run(['connection', '--config', config]);
    },
    'gives no answer: ECONNREFUSED': async () => {
      const { env } = await accounts.signedIn();
      const args = ['connection', '--auth', 'diaspora', '--service-url', nowhere];
      return runCommand(args, { env });
    },
  });
});

describe('docs/from-python.md', () => {
  const page = new DocsPage('from-python.md');

  it('shows programs that do the same, one after the other', async () => {
    const [before] = page.ofLanguage('python');
    using directory = new SnippetDirectory();
    directory.write(page.file('after.js'));
    const { stdout } = await directory.run('after.js', { env: person.env });
    expect(stdout).toMatch(/^\d+n\n$/);
    const python = await pythonWith('requirements.txt');
    const file = join(accounts.directory(), 'before.py');
    writeFileSync(file, before?.code ?? '');
    // The SDK's service has a fixed address, which the test of the Python SDK listens at: here it is compiled.
    await promisify(execFile)(python, ['-m', 'py_compile', file]);
    const topic = `ns-${person.subject.slice(-12)}.sensor-log`;
    expect((await valuesOf(topic)).at(-1)).toBe('{"celsius":21.5}');
    expect(page.untested()).toEqual([]);
  });

  const section = (title: string): string =>
    page.text.slice(page.text.indexOf(title)).split(/^## /m)[1] ?? '';
  const cells = (text: string, column: number): string[] =>
    [...text.matchAll(/^\|(.+)\|$/gm)].map(([, row = '']) => row.split(' | ')[column] ?? '');
  const namesOf = (texts: readonly string[], pattern: RegExp): string[] => [
    ...new Set(texts.flatMap((text) => [...text.matchAll(pattern)].map(([, name = '']) => name))),
  ];

  it.each([
    ['## diaspora-event-sdk 0.0.3', 'requirements-v1.txt'],
    ['## diaspora-event-sdk 0.4.2', 'requirements.txt'],
  ] as const)('tells of every call that the SDK has: %s', async (title, requirements) => {
    const told = namesOf(cells(section(title), 0), /\bc\.(\w+)/g);
    const python = await pythonWith(requirements);
    const source = `
import ast, inspect, json
from diaspora_event_sdk.sdk import client
tree = ast.parse(inspect.getsource(client))
[cls] = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Client"]
methods = [n.name for n in cls.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
own = [n.attr for n in ast.walk(cls) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)]
print(json.dumps({"methods": methods, "own": own}))`;
    const { stdout } = await promisify(execFile)(python, ['-c', source]);
    const { methods, own }: { methods: string[]; own: string[] } = JSON.parse(stdout);
    expect(told.filter((name) => !own.includes(name)).sort()).toEqual(methods.sort());
  });

  it('names only calls that there are here', async () => {
    const here = await import('../../src/index.ts');
    const examples = await import('diaspora-logger/examples');
    const text = page.text.slice(page.text.indexOf('## diaspora_logger'));
    for (const name of namesOf([text], /\bclient\.(\w+)\(/g)) {
      expect(DiasporaClient.prototype, name).toHaveProperty(name);
    }
    const sent = cells(section('## diaspora_logger'), 1);
    for (const name of namesOf(sent, /\blogger\.(\w+)\(/g)) {
      expect(DiasporaLogger.prototype, name).toHaveProperty(name);
    }
    const functions = namesOf([text], /`(?:await )?(?:new )?([A-Za-z]+)\(/g).filter((name) =>
      /^(requestToken|create|block|Diaspora(?!Client)|run[A-Z])/.test(name),
    );
    expect(functions.length).toBeGreaterThan(5);
    for (const name of functions) {
      expect(name in here || name in examples || isOfPython(name), name).toBe(true);
    }
  });

  it('names only commands that there are', async () => {
    const named = namesOf(
      [
        ...cells(section('## diaspora-event-sdk 0.0.3'), 2),
        ...cells(section('## diaspora-event-sdk 0.4.2'), 2),
      ],
      /`([a-z-]+(?: [a-z]+)?)/g,
    );
    expect(named.length).toBeGreaterThan(8);
    for (const command of named) {
      const { code } = await runCommand([...command.split(' '), '--help']);
      expect(code, command).toBe(0);
    }
  });
});

/** `DiasporaLogger` is the name in both. */
const isOfPython = (name: string): boolean => name === 'DiasporaLogger';
