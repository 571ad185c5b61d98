import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Summary } from '../../src/cli/ship/summary.ts';
import { sharedStack } from '../shared-stack.ts';
import { buildPackage } from './built-package.ts';
import {
  type CommandOptions,
  type RunningCommand,
  runCommand,
  startAtTerminal,
  startCommand,
  startShell,
} from './command.ts';
import { DocsPage } from './docs-page.ts';
import { newTopic, recordsOf, signedInEnv, valuesOf } from './topic-content.ts';

beforeAll(() => buildPackage());

const isRoot = process.getuid?.() === 0;

const prettyFile = createRequire(import.meta.url).resolve('pino-pretty/bin.js');

const commandLine = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Port 9 is for a service that no machine has any more. */
const nowhere = ['--brokers', '127.0.0.1:9', '--auth', 'none', '--no-tls', '--topic', 't'];

/** Nobody signed in: for tests of what is not about connecting. */
function to(topic: string): string[] {
  const brokers = sharedStack().bootstrap('INTERNAL');
  return ['--topic', topic, '--brokers', brokers, '--auth', 'none', '--no-tls'];
}

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ship-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function fileOf(content: string | Buffer, name = 'app.log'): Promise<string> {
  const path = join(await newDirectory(), name);
  writeFileSync(path, content);
  return path;
}

/** Runs `ship … --json` to its end. */
async function ship(
  args: readonly string[],
  options: CommandOptions = { input: '' },
): Promise<Summary & { code: number | null; err: string }> {
  const { code, out, err } = await runCommand(['ship', '--json', ...args], options);
  if (out === '') throw new Error(`It has printed nothing, and ended with ${code}: ${err}`);
  return { ...JSON.parse(out), code, err };
}

interface Pipeline extends RunningCommand {
  /** As Ctrl-C does: to all of its processes. */
  killAll(signal: NodeJS.Signals): void;
}

/** Writes `ended <code of its last command>` to stdout. */
function startPipeline(line: string): Pipeline {
  // With job control each job is a process group, as at a terminal.
  const script = `set -m; (${line}) & echo group $!; wait $!; echo ended $?`;
  const command = startShell(script);
  const killAll = (signal: NodeJS.Signals): void => {
    const [, group] = /^group (\d+)$/m.exec(command.out) ?? [];
    process.kill(-Number(group), signal);
  };
  return { ...command, killAll };
}

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `{"level":30,"time":${Date.now()},"n":${n}}`);

describe('ship', () => {
  it('ships the lines of a pipe, and says so', async () => {
    const topic = await newTopic('ship');
    const line = `printf 'one\\ntwo\\n' | diaspora-logger ship ${to(topic).join(' ')}`;
    const { out, err } = await startShell(line).ended;
    expect(out).toBe('');
    expect(err).toMatch(
      /^diaspora-logger: 2 records \(0\.0 MB\) shipped to topic \S+ in [\d.]+ s, all acknowledged\.\n$/,
    );
    expect(await valuesOf(topic)).toEqual(['one', 'two']);
  });

  it('ships as who has signed in', async () => {
    const topic = await newTopic('ship');
    const env = { ...(await signedInEnv()), DIASPORA_TOPIC: topic };
    expect(await ship([], { env, input: 'a line\n' })).toMatchObject({ code: 0, acknowledged: 1 });
    expect(await countOf(topic)).toBe(1);
  });

  it('leaves each line as it is, byte for byte', async () => {
    const topic = await newTopic('ship');
    const lines = [
      Buffer.from('{"level":30,"msg":"Grüße 😀"}'),
      Buffer.from([0xff, 0xfe, 0x00, 0x41, 0xc3]),
      Buffer.from('a\0b\rc'),
      Buffer.from('  '),
      randomBytes(100_000).filter((byte) => byte !== 10 && byte !== 13),
    ].map((line) => Buffer.from(line));
    const path = await fileOf(Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])));
    expect(await ship([...to(topic), path])).toMatchObject({ code: 0, records: 5 });
    const values = (await recordsOf(topic)).map(({ value }) => value);
    expect(values).toEqual(lines);
  });

  it('takes input that comes a byte at a time, CRLF, empty lines, and a last line without its end', async () => {
    const topic = await newTopic('ship');
    const command = startCommand(['ship', ...to(topic)], { openInput: true });
    for (const character of 'one\r\n\r\n\ntwo\nthree') {
      command.child.stdin?.write(character);
      await new Promise((resolve) => setImmediate(resolve));
    }
    command.child.stdin?.end();
    expect(await command.ended).toMatchObject({ code: 0, signal: null });
    expect(await valuesOf(topic)).toEqual(['one', 'two', 'three']);
  });

  it('ships nothing of an empty input, and succeeds', async () => {
    const topic = await newTopic('ship');
    const summary = { code: 0, records: 0, bytes: 0, acknowledged: 0, unread: [] };
    expect(await ship(to(topic))).toMatchObject(summary);
    expect(await ship([...to(topic), await fileOf('')])).toMatchObject(summary);
  });

  it('ships files in their order, and standard input where it is named', async () => {
    const topic = await newTopic('ship');
    const [one, two] = [await fileOf('1\nno newline'), await fileOf('2\n')];
    const end = await ship([...to(topic), one, '-', two], { input: 'input\n' });
    expect(end).toMatchObject({ code: 0, records: 4, bytes: 20 });
    expect(await valuesOf(topic)).toEqual(['1', 'no newline', 'input', '2']);
  });

  it('ships what a program writes to a named pipe', async () => {
    const topic = await newTopic('ship');
    const line = `diaspora-logger ship ${to(topic).join(' ')} <(printf 'a\\nb\\n')`;
    expect(await startShell(line).ended).toMatchObject({ code: 0 });
    expect(await valuesOf(topic)).toEqual(['a', 'b']);
  });

  it('takes key, headers, partition and time as it is told', async () => {
    const topic = await newTopic('ship', 3);
    const time = Date.now() - 3_600_000;
    const input = [
      `{"level":30,"time":${time},"user":"ada","trace":7}`,
      `{"level":"info","message":"Winston","timestamp":"${new Date(time).toISOString()}"}`,
      'no JSON',
    ].join('\n');
    const flags = [
      ...['--key-field', 'user', '--header-fields', 'trace,user', '--partition', '2'],
      ...['--headers', 'host=h=1', '--headers', 'site=s', '--source-headers'],
    ];
    const before = Date.now();
    const { sourceId, code } = await ship([...to(topic), ...flags], { input });
    expect(code).toBe(0);
    const records = await recordsOf(topic);
    const fixed = [
      ['host', 'h=1'],
      ['site', 's'],
    ];
    const source = (n: number): string[][] => [
      ['source-id', String(sourceId)],
      ['source-seq', String(n)],
    ];
    expect(
      records.map(({ key, partition, headers }) => ({
        key: key?.toString() ?? null,
        partition,
        headers: headers.map(([name, value]) => [name, String(value)]),
      })),
    ).toEqual([
      {
        key: 'ada',
        partition: 2,
        headers: [...fixed, ['trace', '7'], ['user', 'ada'], ...source(0)],
      },
      { key: null, partition: 2, headers: [...fixed, ...source(1)] },
      { key: null, partition: 2, headers: [...fixed, ...source(2)] },
    ]);
    expect(records.map(({ timestamp }) => timestamp).slice(0, 2)).toEqual([time, time]);
    expect(records[2]?.timestamp).toBeGreaterThanOrEqual(before);
  });

  it('warns of lines that are older than brokers keep records, and gives them its own time where told to', async () => {
    const topic = await newTopic('ship');
    const old = Date.now() - 30 * 86_400_000;
    const input = `{"level":30,"time":${old}}\n`.repeat(3);
    const { err } = await ship(to(topic), { input });
    expect(err).toContain(`there are lines of ${new Date(old).toISOString()}.`);
    expect(err.match(/--arrival-time/g)).toHaveLength(1);
    const before = Date.now();
    const own = await ship([...to(topic), '--arrival-time'], { input });
    expect(own).toMatchObject({ acknowledged: 3, err: '' });
    const times = (await recordsOf(topic)).filter(({ offset }) => offset >= 3n);
    expect(times.map(({ timestamp }) => timestamp >= before)).toEqual([true, true, true]);
  });

  it('takes the rest of its options from a file', async () => {
    const topic = await newTopic('ship');
    const config = await fileOf(JSON.stringify({ topic, key: 'k', compression: 'gzip' }));
    const flags = to('another').filter((flag) => flag !== '--topic' && flag !== 'another');
    expect(await ship([...flags, '--config', config], { input: 'a\n' })).toMatchObject({ code: 0 });
    expect((await recordsOf(topic)).map(({ key }) => String(key))).toEqual(['k']);
  });

  it('takes lines that are typed, until Ctrl-D', async () => {
    const topic = await newTopic('ship');
    const { code, out } = await startAtTerminal(['ship', ...to(topic)], { input: 'typed\n' }).ended;
    expect(out).toContain('reading lines from the terminal');
    expect(out).toContain('1 record');
    expect(code).toBe(0);
  });

  it('goes on where nobody reads what it has to say', async () => {
    const command = `diaspora-logger ship ${nowhere.join(' ')} --close-timeout 1`;
    const line = `(printf 'a\\n' | ${command}; echo ended $?) 2> >(exec true)`;
    expect(await startShell(line).ended).toMatchObject({ out: 'ended 4\n', err: '' });
  });

  it('shows a bar of a file on a terminal, and none with --json', async () => {
    const topic = await newTopic('ship');
    const path = await fileOf(numbered(20_000).join('\n'));
    const { out, code } = await startAtTerminal(['ship', ...to(topic), path]).ended;
    expect(code).toBe(0);
    expect(out).toMatch(/[█░]+ \d+ % \| [\d.]+ of [\d.]+ MB, [\d,]+ records acknowledged/);
    expect(out).toContain('20,000 records');
    const json = await startAtTerminal(['ship', '--json', ...to(topic), path]).ended;
    expect(json.out).not.toMatch(/[█░]/);
  });
});

describe('ship --tee', () => {
  it('passes its input on as it stands, however slowly it is read', async () => {
    const topic = await newTopic('ship');
    const path = await fileOf(`${numbered(50_000).join('\r\n')}\n\nno newline \xff`, 'tee.log');
    const line = `diaspora-logger ship --tee ${to(topic).join(' ')} < ${path} | (sleep 1; cmp - ${path} && echo same)`;
    const { out, err } = await startShell(line).ended;
    expect(out).toBe('same\n');
    expect(err).toContain('50,001 records');
    expect(await countOf(topic)).toBe(50_001);
  });

  it('goes on shipping where whoever reads it has enough', async () => {
    const topic = await newTopic('ship');
    const path = await fileOf(numbered(50_000).join('\n'));
    const line = `diaspora-logger ship --tee ${to(topic).join(' ')} ${path} | head -n 1`;
    const { out, err, code } = await startShell(line).ended;
    expect(out.split('\n')).toHaveLength(2);
    expect(err).toContain('--tee: whoever read standard output has ended.');
    expect(code).toBe(0);
    expect(await countOf(topic)).toBe(50_000);
  });

  it('ships all, and fails, where what it passes on cannot be written', async () => {
    const topic = await newTopic('ship');
    const path = await fileOf('a\nb\n');
    const line = `diaspora-logger ship --tee ${to(topic).join(' ')} ${path} > /dev/full`;
    const { err, code } = await startShell(line).ended;
    expect(err).toContain('--tee: standard output cannot be written (ENOSPC).');
    expect(err).toContain('2 records');
    expect(code).toBe(1);
    expect(await countOf(topic)).toBe(2);
  });

  it('has its summary on stderr', async () => {
    const topic = await newTopic('ship');
    const args = ['ship', '--tee', '--json', ...to(topic)];
    const { out, err } = await runCommand(args, { input: 'a\n' });
    expect(out).toBe('a\n');
    expect(JSON.parse(err)).toMatchObject({ acknowledged: 1 });
  });
});

describe('ship refuses before anything is sent', () => {
  it('a file that is not there, beside one that is', async () => {
    const path = await fileOf('a\n');
    const { code, err, out } = await runCommand(['ship', ...nowhere, path, `${path}.gone`]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toBe(`diaspora-logger: Nothing was sent: there is no file ${path}.gone.\n`);
  });

  it('a directory', async () => {
    const directory = await newDirectory();
    for (const flags of [[], ['--follow']]) {
      const { code, err } = await runCommand(['ship', ...nowhere, ...flags, directory]);
      expect(code).toBe(2);
      expect(err).toContain(`${directory} is a directory. Name its files`);
    }
  });

  it.skipIf(isRoot && !existsSync('/usr/bin/setpriv'))(
    'a file that this account may not read',
    async () => {
      const path = await fileOf('a\n');
      chmodSync(path, 0);
      // Root may read everything.
      const command = isRoot
        ? `setpriv --reuid=65534 --regid=65534 --clear-groups "${process.execPath}" "${commandLine}"`
        : 'diaspora-logger';
      const { code, err } = await startShell(`${command} ship ${nowhere.join(' ')} ${path}`).ended;
      expect(err).toContain(`this account may not read ${path} (EACCES).`);
      expect(code).toBe(2);
    },
  );

  it('wrong arguments', async () => {
    const cases: [args: string[], words: string][] = [
      [['--follow'], '--follow needs the names of files'],
      [['--follow', '-'], '--follow needs the names of files'],
      [['--from-start', 'app.log'], '--from-start goes with --follow'],
      [['-', '-'], 'can be read only once'],
      [['--headers', 'name'], 'It takes name=value.'],
      [['--close-timeout', 'soon'], 'It takes a number of seconds.'],
      [['--partition', 'first'], '"partition" takes a whole number'],
      [['--key', 'k', '--key-field', 'f'], 'exclude each other'],
      [['--topic', 'no topic'], 'cannot be a topic'],
      [['--dead-letter', '/dev/null/letters'], 'cannot write to the directory'],
    ];
    const refused = cases.map(async ([args, words]) => {
      const { code, err, out } = await runCommand(['ship', ...nowhere, ...args], { input: 'a\n' });
      expect({ code, out }, String(args)).toEqual({ code: 2, out: '' });
      expect(err).toContain(words);
    });
    await Promise.all(refused);
  });

  it('no topic, and a transform', async () => {
    const none = await runCommand(['ship', ...nowhere.slice(0, -2)], { input: '' });
    expect(none).toMatchObject({ code: 2, err: expect.stringContaining('No topic') });
    const transform = await fileOf('export default (record) => record;', 'transform.mjs');
    const config = await fileOf(JSON.stringify({ transform }));
    const { code, err } = await runCommand(['ship', ...nowhere, '--config', config]);
    expect(code).toBe(2);
    expect(err).toContain('"transform" is for transports');
  });
});

describe('ship tells what it could not read', () => {
  it('where a file goes before its turn comes, and ships the others', async () => {
    const topic = await newTopic('ship');
    const [going, last] = [await fileOf('gone\n'), await fileOf('last\n')];
    const args = ['ship', '--json', ...to(topic), '-', going, last];
    const command = startCommand(args, { openInput: true });
    command.child.stdin?.write('first\n');
    await expect.poll(() => countOf(topic), { timeout: 10_000 }).toBe(1);
    rmSync(going);
    command.child.stdin?.end();
    const { code, out, err } = await command.ended;
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      acknowledged: 2,
      unread: [`there is no file ${going}`],
    });
    expect(err).toContain(`there is no file ${going}.`);
    expect(await countOf(topic)).toBe(2);
  });
});

describe('ship without brokers', () => {
  it('gives up behind --close-timeout, says why, and keeps what was not delivered', async () => {
    const directory = await newDirectory();
    const flags = ['--close-timeout', '1.5', '--dead-letter', directory];
    const end = await ship([...nowhere, ...flags], { input: 'a\nb\n' });
    expect(end).toMatchObject({ code: 4, records: 2, acknowledged: 0, unresolved: 2 });
    expect(end.seconds).toBeLessThan(5);
    expect(end.err).toContain('diaspora-logger BROKER_UNREACHABLE:');
    expect(end.err).toContain('not delivered at close: 2');
    const [name = ''] = readdirSync(directory);
    const letters = readFileSync(join(directory, name), 'utf8').trimEnd().split('\n');
    expect(letters.map((letter) => JSON.parse(letter).record.value)).toEqual(['a', 'b']);
  });

  it('reads no further than half of the buffer is full, and drops nothing', async () => {
    const config = await fileOf(JSON.stringify({ bufferMaxBytes: 4 * 2 ** 20 }));
    const command = startCommand(['ship', ...nowhere, '--json', '--config', config], {
      openInput: true,
    });
    const line = `${'x'.repeat(99)}\n`;
    const { stdin } = command.child;
    let taken = 0;
    const feed = (): void => {
      while (stdin?.write(line.repeat(100), () => (taken += 1)));
    };
    stdin?.on('drain', feed);
    feed();
    await command.said('BROKER_UNREACHABLE');
    let before = -1;
    const hasStalled = (): boolean => {
      const isStill = taken === before;
      before = taken;
      return isStill;
    };
    await expect.poll(hasStalled, { interval: 500, timeout: 20_000 }).toBe(true);
    command.kill('SIGTERM');
    await command.said('Ctrl-C again ends at once.');
    command.kill('SIGTERM');
    const { out, err } = await command.ended;
    const summary = JSON.parse(out.split('\n').find((line) => line.startsWith('{')) ?? '');
    expect(err).not.toContain('BUFFER_FULL');
    expect(summary).toMatchObject({ dropped: 0, acknowledged: 0, signal: 'SIGTERM' });
    expect(summary.bytes).toBeGreaterThan(1e6);
    expect(summary.bytes).toBeLessThan(4 * 2 ** 20);
    expect(summary.unresolved).toBe(summary.records);
  });

  it('gives up behind --close-timeout where it cannot read on', async () => {
    const options = { bufferMaxBytes: 64 * 1024, batchMaxBytes: 8 * 1024 };
    const config = await fileOf(JSON.stringify(options));
    const path = await fileOf(`${numbered(10_000).join('\n')}\n`);
    const args = [...nowhere, '--config', config, '--close-timeout', '1', path, path];
    const end = await ship(args);
    expect(end).toMatchObject({ code: 4, acknowledged: 0, dropped: 0, signal: null });
    expect(end.unresolved).toBe(end.records);
    expect(end.unread).toEqual([
      expect.stringMatching(/was read up to byte \d+ of \d+; "tail -c \+\d+ .+" has the rest$/),
      `${path} was not begun`,
    ]);
  });

  it('waits as long as it takes, until the second Ctrl-C', async () => {
    const command = startCommand(['ship', ...nowhere], { input: 'a\nb\n' });
    await command.said('BROKER_UNREACHABLE');
    command.kill('SIGINT');
    await command.said('Ctrl-C again ends at once.');
    command.kill('SIGINT');
    const { code, err } = await command.ended;
    expect(code).toBe(130);
    expect(err).toContain('not delivered at close: 2');
    expect(err).toContain('ended by SIGINT: of 2 records');
    expect(err).toContain('0 acknowledged, 2 not delivered');
  });
});

describe('ship with brokers that refuse', () => {
  it('says what is wrong with the sign-in', async () => {
    const topic = await newTopic('ship');
    const signedIn = await signedInEnv();
    const store = await newDirectory();
    const wrong = 'nobody-has-it';
    const cases: [reason: string, flags: string[], env: Record<string, string>][] = [
      ['REFRESH_TOKEN_INVALID', [], { DIASPORA_REFRESH: wrong }],
      ['CREDENTIALS_MISSING', [], { DIASPORA_REFRESH: '' }],
      [
        'SIGN_IN_REFUSED',
        ['--auth', 'scram', '--username', 'station'],
        { DIASPORA_PASSWORD: wrong, DIASPORA_BOOTSTRAP: sharedStack().bootstrap('SCRAM') },
      ],
    ];
    const refused = cases.map(async ([reason, flags, own]) => {
      const env = { ...signedIn, DIASPORA_USER_DIR: store, ...own };
      const args = ['--topic', topic, '--close-timeout', '6', ...flags];
      const end = await ship(args, { env, input: 'a\n' });
      expect(end, reason).toMatchObject({ code: 3, unresolved: 1 });
      expect(end.err).toContain(`diaspora-logger ${reason}:`);
      expect(end.err).not.toContain(wrong);
    });
    await Promise.all(refused);
  });

  it('says that the topic is missing', async () => {
    const missing = 'ship-never-made';
    const flags = ['--close-timeout', '6'];
    const [anonymous, asUser] = await Promise.all([
      ship([...to(missing), ...flags], { input: 'a\n' }),
      ship(['--topic', missing, ...flags], { env: await signedInEnv(), input: 'a\n' }),
    ]);
    expect(anonymous).toMatchObject({ code: 1, unresolved: 1 });
    expect(anonymous.err).toContain('TOPIC_UNKNOWN');
    expect(asUser).toMatchObject({ code: 3, unresolved: 1 });
    expect(asUser.err).toContain('TOPIC_WRITE_DENIED');
  });

  it('takes a line of 5 MB where the topic does, and keeps it where the topic does not', async () => {
    const large = await newTopicOf({ 'max.message.bytes': String(8 * 2 ** 20) });
    const line = 'x'.repeat(5 * 2 ** 20);
    const path = await fileOf(`before\n${line}\nbehind\n`);
    expect(await ship([...to(large), path])).toMatchObject({ code: 0, acknowledged: 3 });
    const lengths = (await valuesOf(large)).map(({ length }) => length);
    expect(lengths).toEqual([6, line.length, 6]);

    const small = await newTopic('ship');
    const directory = await newDirectory();
    const end = await ship([...to(small), '--dead-letter', directory, path]);
    expect(end).toMatchObject({ code: 1, records: 3, acknowledged: 2, deadLettered: 1 });
    expect(end.err).toContain('RECORD_TOO_LARGE');
    const [name = ''] = readdirSync(directory);
    expect(JSON.parse(readFileSync(join(directory, name), 'utf8')).record.value).toBe(line);
    expect(await countOf(small)).toBe(2);
  });

  it('says what is lost where the dead letters cannot be written', async () => {
    const topic = await newTopic('ship');
    const path = await fileOf(`before\n${'x'.repeat(2 * 2 ** 20)}\nbehind\n`);
    const directory = await newDirectory();
    // What a full disk does: a part is written, and then no more.
    const line = `ulimit -f 64; diaspora-logger ship ${to(topic).join(' ')} --dead-letter ${directory} ${path}`;
    const { code, err } = await startShell(line).ended;
    expect(code).toBe(1);
    expect(err).toContain('DEAD_LETTER_UNWRITABLE');
    expect(err).toContain('of 3 records');
    expect(err).toContain('2 acknowledged, 1 dropped');
    expect(await countOf(topic)).toBe(2);
  });

  it('says what is lost where a line is larger than the buffer', async () => {
    const topic = await newTopic('ship');
    const config = await fileOf(
      JSON.stringify({ bufferMaxBytes: 64 * 1024, batchMaxBytes: 16 * 1024 }),
    );
    const input = `a\n${'x'.repeat(70_000)}\nb\n`;
    const end = await ship([...to(topic), '--config', config], { input });
    expect(end).toMatchObject({ code: 1, records: 3, acknowledged: 2, dropped: 1 });
    expect(end.err).toContain('A line of more than 65536 bytes was dropped');
    expect(await countOf(topic)).toBe(2);
  });
});

describe('ship that is ended', () => {
  it('by a terminal that closes', async () => {
    const args = ['ship', ...nowhere, '--close-timeout', '0.5'];
    const command = startCommand(args, { openInput: true });
    command.child.stdin?.write('a\n');
    await command.said('BROKER_UNREACHABLE');
    command.child.stdin?.end();
    command.kill('SIGHUP');
    const { code, err } = await command.ended;
    expect(code).toBe(129);
    expect(err).toContain('ended by SIGHUP: of 1 record');
  });

  it('reads the last words of an app that got the same Ctrl-C', async () => {
    const topic = await newTopic('ship');
    const app = await fileOf(
      `process.on('SIGINT', () => setTimeout(() => { console.log('last words'); process.exit(0); }, 300));
      console.log('running'); setInterval(() => {}, 1000);`,
      'app.mjs',
    );
    const pipeline = startPipeline(`node ${app} | diaspora-logger ship ${to(topic).join(' ')}`);
    await expect.poll(() => countOf(topic), { timeout: 10_000 }).toBe(1);
    pipeline.killAll('SIGINT');
    const { out, err } = await pipeline.ended;
    expect(out).toContain('ended 130');
    expect(err).toContain('ended by SIGINT: 2 records');
    expect(await valuesOf(topic)).toEqual(['running', 'last words']);
  });

  it('waits for a pipe that nobody ends no longer than 5 s', async () => {
    const topic = await newTopic('ship');
    const command = startCommand(['ship', '--json', ...to(topic)], { openInput: true });
    command.child.stdin?.write('one\ntwo');
    await expect.poll(() => countOf(topic), { timeout: 10_000 }).toBe(1);
    const askedAt = performance.now();
    command.kill('SIGTERM');
    const { code, out } = await command.ended;
    expect(performance.now() - askedAt).toBeLessThan(8_000);
    expect(code).toBe(143);
    expect(JSON.parse(out)).toMatchObject({
      acknowledged: 2,
      signal: 'SIGTERM',
      unread: ['standard input was not read to its end'],
    });
    expect(await countOf(topic)).toBe(2);
  });

  it.each([
    {
      what: 'a file',
      given: (path: string) => path,
      words: /was read up to byte \d+ of \d+; "(tail -c \S+ -- \S+)" has the rest/,
      onward: '',
    },
    {
      what: 'a file that is standard input',
      given: (path: string) => `< ${path}`,
      words: /the first \d+ bytes of standard input were read; "(tail -c \S+)" of the same/,
    },
  ])('tells how far it has read $what, so that a second run ships the rest', async (way) => {
    const topic = await newTopic('ship');
    const lines = numbered(100_000);
    const path = await fileOf(lines.join('\n'));
    // So small a buffer that it takes a while.
    const config = await fileOf(
      JSON.stringify({ bufferMaxBytes: 64 * 1024, batchMaxBytes: 8 * 1024 }),
    );
    const args = `${to(topic).join(' ')} --config ${config}`;
    const { given, words, onward = given(path) } = way;
    const command = startShell(
      `exec "${process.execPath}" "${commandLine}" ship ${args} ${given(path)}`,
    );
    await expect.poll(() => countOf(topic), { timeout: 10_000 }).toBeGreaterThan(0);
    command.kill('SIGTERM');
    const { code, err } = await command.ended;
    expect(code).toBe(143);
    expect(err).toContain('all acknowledged');
    const [, rest] = words.exec(err) ?? [];
    expect(rest, err).toBeDefined();
    const second = startShell(`${rest} ${onward} | diaspora-logger ship ${to(topic).join(' ')}`);
    expect((await second.ended).err).toContain('all acknowledged');
    const values = await valuesOf(topic);
    expect(values).toHaveLength(lines.length);
    expect(values.join('\n')).toBe(lines.join('\n'));
  });

  it('where a named pipe has no writer', async () => {
    const path = join(await newDirectory(), 'pipe');
    execFileSync('mkfifo', [path]);
    const command = startCommand(['ship', ...nowhere, path]);
    await command.said('BROKER_UNREACHABLE');
    command.kill('SIGTERM');
    await command.said('Ctrl-C again ends at once.');
    command.kill('SIGTERM');
    const { code, err } = await command.ended;
    expect(code).toBe(143);
    expect(err).toContain('a pipe that was begun is read to its end, for 5 s at most');
  });

  it('where nobody reads what --tee passes on', async () => {
    const path = await fileOf('x\n'.repeat(2_000_000));
    const args = ['ship', ...nowhere, '--close-timeout', '0.1', '--tee', path];
    // Its stdout is a pipe that is never read; more than fits into it is written.
    const child = spawn(process.execPath, [commandLine, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const err = text(child.stderr);
    // It says that there are no brokers while it waits for its reader.
    await once(child.stderr, 'data');
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(143);
    expect(await err).toContain('--tee: standard output is not read.');
    expect(await err).toContain('not delivered');
  });
});

describe('ship --follow', () => {
  it('ships what comes to a file through its rotation, until Ctrl-C', async () => {
    const topic = await newTopic('ship');
    const path = await fileOf('before\n');
    const command = startCommand(['ship', '--json', ...to(topic), '--follow', path]);
    await command.said(`following ${path} from now on`);
    appendFileSync(path, 'one\n');
    await expect.poll(() => countOf(topic), { timeout: 10_000 }).toBe(1);
    appendFileSync(path, 'two\n');
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'three\n');
    await expect.poll(() => countOf(topic), { timeout: 10_000 }).toBe(3);
    appendFileSync(path, 'four\n');
    command.kill('SIGINT');
    const { code, out } = await command.ended;
    expect(code).toBe(130);
    expect(JSON.parse(out)).toMatchObject({ records: 4, acknowledged: 4, unread: [] });
    expect(await valuesOf(topic)).toEqual(['one', 'two', 'three', 'four']);
  });

  it('begins at the start where it is told to, and with files that come later', async () => {
    const topic = await newTopic('ship');
    const directory = await newDirectory();
    mkdirSync(join(directory, 'logs'));
    const [there, later] = [join(directory, 'logs/there'), join(directory, 'logs/later')];
    writeFileSync(there, 'there\n');
    const args = ['--follow', '--from-start', there, later];
    const command = startCommand(['ship', ...to(topic), ...args]);
    await command.said(`there is no ${later} yet`);
    await expect.poll(() => countOf(topic), { timeout: 10_000 }).toBe(1);
    writeFileSync(later, 'later\n');
    await expect.poll(() => countOf(topic), { timeout: 10_000 }).toBe(2);
    command.kill('SIGTERM');
    expect(await command.ended).toMatchObject({ code: 143 });
    expect(await valuesOf(topic)).toEqual(['there', 'later']);
  });

  it('passes on the lines of several files, each of them whole', async () => {
    const topic = await newTopic('ship');
    const lines = numbered(20_000);
    const [one, two] = [lines.slice(0, 10_000), lines.slice(10_000)];
    const paths = await Promise.all([one, two].map((some) => fileOf(`${some.join('\n')}\n`)));
    const args = ['--tee', '--follow', '--from-start', ...paths];
    await using command = startCommand(['ship', ...to(topic), ...args]);
    await expect.poll(() => countOf(topic), { timeout: 30_000 }).toBe(20_000);
    command.kill('SIGINT');
    const passed = (await command.ended).out.split('\n').slice(0, -1);
    expect(passed.toSorted()).toEqual(lines.toSorted());
  });
});

/** Records in it, as its offsets tell. */
async function countOf(topic: string): Promise<number> {
  const ends = await sharedStack().endOffsets(topic);
  return [...ends.values()].reduce((sum, end) => sum + Number(end), 0);
}

describe('docs/ship.md', () => {
  const page = new DocsPage('ship.md');

  /** In a directory with the files that the page names. */
  async function setUp(): Promise<Required<Pick<CommandOptions, 'cwd' | 'env'>>> {
    const cwd = await newDirectory();
    const app = 'console.log(\'{"level":30,"msg":"from the app"}\');';
    writeFileSync(join(cwd, 'app.js'), app);
    writeFileSync(join(cwd, 'app.log'), '');
    for (const name of ['monday.log', 'tuesday.log']) writeFileSync(join(cwd, name), 'a\nb\n');
    return { cwd, env: await signedInEnv() };
  }

  /** Commands as a project runs them that has installed the package, and pino-pretty. */
  const npx = `npx() { case $1 in
    diaspora-logger) shift; diaspora-logger "$@" ;;
    pino-pretty) shift; node "${prettyFile}" "$@" ;;
    esac; }`;

  const snippets = page.ofLanguage('sh').map(({ code }) => code.trim());
  const isFollowing = (code: string): boolean => code.includes('--follow');

  it.each(snippets.filter((code) => !isFollowing(code)))('%s', async (snippet) => {
    const topic = await newTopic('ship');
    const own = snippet.replaceAll(/app-logs|archive/g, topic);
    const script = `set -e -o pipefail; ${npx}\n${own}`;
    const { code, out, err } = await startShell(script, await setUp()).ended;
    expect(code, err).toBe(0);
    expect(err).toContain('all acknowledged');
    const lines = snippet.match(/app\.js|(monday|tuesday)\.log/g) ?? [];
    const count = lines.reduce((sum, file) => sum + (file === 'app.js' ? 1 : 2), 0);
    expect(await countOf(topic)).toBe(count);
    if (snippet.includes('pino-pretty')) expect(out).toContain('INFO: from the app');
    if (snippet.includes('audit')) expect(out).toContain('none lost, repeated or out of order');
  });

  it.each(snippets.filter(isFollowing))('%s', async (snippet) => {
    const topic = await newTopic('ship');
    const own = snippet.replace('app-logs', topic).replace('/var/log/', '');
    const command = startCommand(own.split(' ').slice(2), await setUp());
    await command.said('following app.log from now on');
    command.kill('SIGINT');
    expect(await command.ended).toMatchObject({ code: 130 });
  });

  it('shows the object that --json prints, and options that a file may have', async () => {
    const [config, summary] = page.ofLanguage('json').map(({ code }) => JSON.parse(code));
    const path = await fileOf(JSON.stringify({ ...config, topic: await newTopic('ship') }));
    const flags = to('t').filter((flag) => flag !== '--topic' && flag !== 't');
    const { code, err, ...shown } = await ship([...flags, '--config', path], { input: 'a\n' });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(Object.keys(shown)).toEqual(Object.keys(summary));
  });

  it('has no other snippets', () => {
    expect(page.untested()).toEqual([]);
  });
});

async function newTopicOf(config: Readonly<Record<string, string>>): Promise<string> {
  const topic = `ship-${randomBytes(4).toString('hex')}`;
  await sharedStack().createTopic(topic, { config });
  return topic;
}
