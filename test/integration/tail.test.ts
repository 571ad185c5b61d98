import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { SendOptions } from '../../src/produce/logger.ts';
import { DiasporaLogger } from '../../src/produce/logger.ts';
import { runKafkaTool } from '../../stack/java-tools.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { buildPackage } from './built-package.ts';
import {
  type CommandEnd,
  type Env,
  runCommand,
  startAtTerminal,
  startCommand,
  startShell,
} from './command.ts';
import { DocsPage } from './docs-page.ts';
import { SnippetDirectory } from './snippet-directory.ts';
import { newTopic, plainOptions, signedInEnv } from './topic-content.ts';

const stack = sharedStack();
const all = ['--from', 'earliest', '--until', 'end'];

/** Nobody signs in: for tests of what is not about that. */
let plain: readonly string[] = [];
let signedIn: Env = {};
beforeAll(async () => {
  await buildPackage();
  plain = ['--brokers', stack.bootstrap('INTERNAL'), '--auth', 'none', '--no-tls'];
  signedIn = await signedInEnv();
});

interface Sent extends SendOptions {
  readonly value: unknown;
}

async function send(topic: string, ...records: readonly Sent[]): Promise<void> {
  const { topic: _, ...connection } = plainOptions(topic);
  await using logger = new DiasporaLogger(connection);
  // No more at a time than its buffer holds.
  for (let at = 0; at < records.length; at += 10_000) {
    const some = records.slice(at, at + 10_000);
    await Promise.all(some.map(({ value, ...options }) => logger.send(topic, value, options)));
  }
}

const numbered = (count: number, partitions = 1): Sent[] =>
  Array.from({ length: count }, (_, i) => ({ value: String(i), partition: i % partitions }));

const lines = (text: string): string[] => text.split('\n').slice(0, -1);
const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => String(from + i));

async function committed(group: string, topic: string): Promise<bigint> {
  const offsets = await stack.committed(group, topic);
  return [...offsets.values()].reduce((sum, offset) => sum + offset, 0n);
}

/** What was said in these tests, with the exit code that it had. */
const seen: { readonly err: string; readonly code: number | null }[] = [];

async function fail(...command: Parameters<typeof runCommand>): Promise<CommandEnd> {
  const end = await runCommand(...command);
  seen.push(end);
  return end;
}

/** One whose output is taken by whom the test says, or by nobody. */
function startUnread(args: readonly string[]) {
  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 100_000,
  });
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  return { child, err: () => err };
}

// Together: one waits half a minute for Kafka to give up on a member that was killed.
describe.concurrent('tail', () => {
  describe('in a pipe', () => {
    it('prints values as they are, one a line, and all else on stderr', async () => {
      const topic = await newTopic('tail');
      const values = [
        '{"level":30,"msg":"ä"}',
        'plain \u001b[31mtext',
        '{"big":12345678901234567890}',
      ];
      await send(topic, ...values.map((value) => ({ value })), { value: null, key: 'gone' });
      const end = await runCommand(['tail', topic, ...all], { env: signedIn });
      expect(end.out).toBe(`${values.join('\n')}\n`);
      expect(end.err).toBe(
        `diaspora-logger: Reading topic ${topic} (1 partition): about 4 records.\ndiaspora-logger: 4 records read, 3 printed.\n`,
      );
      expect(end.code).toBe(0);
      const quiet = await runCommand(['tail', topic, ...all, ...plain, '--quiet']);
      expect(quiet).toMatchObject({ out: end.out, err: '', code: 0 });
    });

    it('prints with --json all that Kafka keeps of a record', async () => {
      const topic = await newTopic('tail', 2);
      const timestamp = 1_700_000_000_000;
      const bytes = Buffer.from([0xff, 0, 1]);
      await send(topic, {
        value: '{"level":30,\n"big":12345678901234567890}',
        key: 'k',
        headers: { a: 'ä' },
        timestamp,
        partition: 1,
      });
      await send(topic, {
        value: bytes,
        key: bytes,
        headers: { b: bytes },
        timestamp,
        partition: 1,
      });
      await send(topic, { value: 'text \u009b', timestamp, partition: 1 });
      await send(topic, { value: null, key: 'gone', timestamp, partition: 1 });
      const { out } = await runCommand(['tail', topic, ...all, ...plain, '--json']);
      const base64 = bytes.toString('base64');
      const place = { topic, partition: 1, timestamp };
      expect(lines(out).map((line) => JSON.parse(line))).toEqual([
        {
          ...place,
          offset: 0,
          key: 'k',
          headers: { a: 'ä' },
          encoding: 'json',
          value: { level: 30, big: Number('12345678901234567890') },
        },
        {
          ...place,
          offset: 1,
          key: { base64 },
          headers: { b: { base64 } },
          encoding: 'base64',
          value: base64,
        },
        { ...place, offset: 2, key: null, headers: {}, encoding: 'text', value: 'text \u009b' },
        { ...place, offset: 3, key: 'gone', headers: {}, encoding: null, value: null },
      ]);
      // Digits that no number of JavaScript holds; and nothing that a terminal would act upon.
      expect(out).toContain('"big":12345678901234567890}');
      expect(out).toContain('"text \\u009b"');
    });

    it('filters by level, key, header and text, all at once', async () => {
      const topic = await newTopic('tail');
      const record = (level: unknown, msg: string, service = 'api', key = 'a'): Sent => ({
        value: JSON.stringify({ level, msg }),
        headers: { service },
        key,
      });
      await send(
        topic,
        record(30, 'request took 5 ms'),
        record(40, 'request took 500 ms'),
        record('error', 'request failed', 'web'),
        record('crit', 'request lost', 'api', 'b'),
        record(60, 'Request never came'),
        { value: 'request without a level', headers: { service: 'api' }, key: 'a' },
      );
      const messages = async (...args: string[]): Promise<unknown[]> => {
        const { out } = await runCommand(['tail', topic, ...all, ...plain, ...args]);
        return lines(out).map((line) => JSON.parse(line).msg);
      };
      expect(await messages('--level', '31', '--key', 'a', '--header', 'service=api')).toEqual([
        'request took 500 ms',
        'Request never came',
      ]);
      expect(
        await messages('--level', 'warn', '--grep', 'request', '--grep', '/fail|LOST/i'),
      ).toEqual(['request failed', 'request lost']);
    });

    it('interleaves partitions by time', async () => {
      const topic = await newTopic('tail', 3);
      const start = Date.now() - 3_600_000;
      // As uneven as it gets: one partition has most records, and another's are larger.
      const partitionOf = (i: number): number => (i % 50 === 0 ? 1 : i % 7 === 0 ? 2 : 0);
      const records = Array.from({ length: 6_000 }, (_, i) => ({
        value: `${i} ${'x'.repeat(partitionOf(i) === 2 ? 3_000 : 100)}`,
        partition: partitionOf(i),
        timestamp: start + i,
      }));
      await send(topic, ...records);
      const { out } = await runCommand(['tail', topic, ...all, ...plain]);
      expect(lines(out).map((line) => line.split(' ')[0])).toEqual(range(0, 6_000));
    });

    it('begins and ends at times, and after a number of records', async () => {
      const topic = await newTopic('tail');
      const start = Date.now() - 3_600_000;
      await send(
        topic,
        ...Array.from({ length: 60 }, (_, i) => ({
          value: String(i),
          timestamp: start + i * 60_000,
        })),
      );
      const read = async (...args: string[]): Promise<string[]> =>
        lines((await runCommand(['tail', topic, ...plain, ...args])).out);
      expect(await read('--from', '-30.5m', '--until', 'end')).toEqual(range(30, 60));
      const iso = (minute: number): string => new Date(start + minute * 60_000).toISOString();
      expect(await read('--from', iso(10), '--until', iso(20))).toEqual(range(10, 20));
      expect(await read('--from', String(start + 50 * 60_000), '-n', '3')).toEqual(range(50, 53));
    });

    it('ends at a time that is still to come', async () => {
      const topic = await newTopic('tail');
      const until = new Date(Date.now() + 15_000).toISOString();
      await using command = startCommand(['tail', topic, ...plain, '--until', until]);
      await command.said('from now on');
      await send(topic, ...numbered(3));
      expect(await command.ended).toMatchObject({ code: 0, out: '0\n1\n2\n' });
      expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until));
    });

    it('reads on behind a time to come what was there by then, and waits for whoever reads it', async () => {
      const topic = await newTopic('tail', 2);
      const padding = 'x'.repeat(1_000);
      const records = Array.from({ length: 5_000 }, (_, i) => ({
        value: `${i} ${padding}`,
        partition: i % 2,
      }));
      await send(topic, ...records);
      const until = new Date(Date.now() + 15_000).toISOString();
      const args = [topic, '--from', 'earliest', '--until', until, ...plain];
      const { out, err } = await startShell(
        `diaspora-logger tail ${args.join(' ')} | (sleep 18; wc -l)`,
      ).ended;
      expect(out.trim()).toBe('5000');
      expect(err).toContain('then what comes');
      expect(lines(err).at(-1)).toBe('diaspora-logger: 5000 records read, 5000 printed.');
    });

    it('shows what comes from now on until Ctrl-C, which leaves a summary and 130', async () => {
      const topic = await newTopic('tail', 2);
      await send(topic, ...numbered(10, 2));
      await using command = startCommand(['tail', '--topic', topic], { env: signedIn });
      await command.said(`Reading topic ${topic} (2 partitions) from now on`);
      await send(topic, { value: 'new', partition: 1 });
      await command.said('new\n');
      command.kill('SIGINT');
      const { code, out, err } = await command.ended;
      expect({ code, out }).toEqual({ code: 130, out: 'new\n' });
      expect(lines(err).at(-1)).toBe('diaspora-logger: 1 records read, 1 printed.');
      expect(lines(err)).toHaveLength(2);
    });

    it('waits for whoever reads slowly, in bounded memory', async () => {
      const topic = await newTopic('tail', 2);
      const padding = 'x'.repeat(2_000);
      const count = 20_000;
      await send(
        topic,
        ...Array.from({ length: count }, (_, i) => ({
          value: `${i} ${padding}`,
          partition: i % 2,
        })),
      );
      const { child, err } = startUnread(['tail', topic, ...all, ...plain]);
      let bytes = 0;
      let newlines = 0;
      let pauses = 0;
      let peakMiB = 0;
      for await (const chunk of child.stdout) {
        bytes += chunk.length;
        for (const byte of chunk) if (byte === 10) newlines += 1;
        // Slower than a broker by far, in the beginning.
        if (bytes < 4_000_000) {
          pauses += 1;
          // Of all that it has had until now.
          const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
          peakMiB = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
      await once(child, 'close');
      expect(child.exitCode, err()).toBe(0);
      expect(newlines).toBe(count);
      expect(pauses).toBeGreaterThan(30);
      expect(peakMiB).toBeLessThan(250);
    });
  });

  describe('as a member of a group', () => {
    const member = (topic: string, group: string, ...args: readonly string[]): string[] => [
      ...['tail', topic, '--group', group, '--from', 'earliest'],
      ...args,
    ];

    it('goes on where the group was', async () => {
      const topic = await newTopic('tail-group', 2);
      const group = uniqueTopic('group');
      await send(topic, ...numbered(10, 2));
      await using first = startCommand(member(topic, group, '--commit-after-print'), {
        env: signedIn,
      });
      // The last of each partition.
      await Promise.all([first.said('8\n'), first.said('9\n')]);
      first.kill('SIGINT');
      const { code, out, err } = await first.ended;
      expect(code).toBe(130);
      expect(lines(out).toSorted((a, b) => Number(a) - Number(b))).toEqual(range(0, 10));
      expect(err).toContain('10 records read, 10 printed. What was printed is committed.');
      await send(topic, { value: 'new' });
      await using next = startCommand(member(topic, group), { env: signedIn });
      await next.said('new\n');
      next.kill('SIGTERM');
      expect(await next.ended).toMatchObject({ code: 143, out: 'new\n' });
      expect(await committed(group, topic)).toBe(11n);
    });

    it('gets again after a SIGKILL what it had not committed, and skips nothing', async () => {
      const topic = await newTopic('tail-group');
      const group = uniqueTopic('group');
      const count = 500;
      const padding = 'x'.repeat(1_000);
      const values = range(0, count).map((n) => `${n} ${padding}`);
      await send(topic, ...values.map((value) => ({ value })));
      const committing = member(topic, group, '--commit-after-print', ...plain);
      const { child } = startUnread(committing);
      // It has printed more than whoever would read it has room for.
      await expect.poll(() => committed(group, topic), { timeout: 40_000 }).toBeGreaterThan(0n);
      child.kill('SIGKILL');
      const taken = lines(await text(child.stdout));
      expect(taken).toEqual(values.slice(0, taken.length));
      const behind = Number(await committed(group, topic));
      expect(taken.length).toBeLessThan(count);
      expect(behind).toBeLessThanOrEqual(taken.length);
      const { code, out } = await runCommand([...committing, '-n', String(count - behind)]);
      expect(code).toBe(0);
      expect(lines(out)).toEqual(values.slice(behind));
      expect(await committed(group, topic)).toBe(BigInt(count));
    });

    it('commits only what `head` was handed, and ends with 0', async () => {
      const topic = await newTopic('tail-group');
      const group = uniqueTopic('group');
      const count = 3_000;
      const padding = 'x'.repeat(1_000);
      await send(topic, ...Array.from({ length: count }, (_, i) => ({ value: `${i} ${padding}` })));
      const command = `diaspora-logger ${member(topic, group, ...plain).join(' ')}`;
      const { code, out, err } = await startShell(`${command} | head -n 5 | cut -d ' ' -f 1`).ended;
      expect({ code, out }).toEqual({
        code: 0,
        out: range(0, 5)
          .map((line) => `${line}\n`)
          .join(''),
      });
      const [, printed] = /(\d+) printed/.exec(err) ?? [];
      const behind = await committed(group, topic);
      // The five, and at most what a pipe and a read of `head` hold; never what was not taken.
      expect(behind).toBeGreaterThanOrEqual(5n);
      expect(behind).toBeLessThan(200n);
      expect(behind).toBeLessThanOrEqual(BigInt(printed ?? 0));
      const again = await runCommand(member(topic, group, ...plain, '-n', '1'));
      expect(again.out).toBe(`${behind} ${padding}\n`);
    });

    it('ends at Ctrl-C though nobody takes its output, with what was taken committed', async () => {
      const topic = await newTopic('tail-group');
      const group = uniqueTopic('group');
      const padding = 'x'.repeat(1_000);
      await send(topic, ...Array.from({ length: 500 }, (_, i) => ({ value: `${i} ${padding}` })));
      const { child, err } = startUnread(member(topic, group, ...plain));
      // What a pipe holds is taken; whoever would read it is stuck.
      await expect.poll(() => committed(group, topic), { timeout: 40_000 }).toBeGreaterThan(0n);
      child.kill('SIGINT');
      await once(child, 'exit');
      expect({ code: child.exitCode, signal: child.signalCode }).toEqual({
        code: 130,
        signal: null,
      });
      expect(err()).toContain('What was taken is committed: the rest comes again.');
      const behind = await committed(group, topic);
      expect(behind).toBeLessThan(500n);
      child.stdout.destroy();
    });

    it('commits past records that its filters leave out, once all before them were printed', async () => {
      const topic = await newTopic('tail-group');
      const group = uniqueTopic('group');
      await send(topic, ...numbered(20));
      const args = ['--commit-after-print', '--grep', '/^(3|17)$/', '-n', '2', ...plain];
      expect((await runCommand(member(topic, group, ...args))).out).toBe('3\n17\n');
      expect(await committed(group, topic)).toBe(18n);
    });
  });

  describe('at a terminal', () => {
    it('is readable in colour, and shows what would steer the terminal', async () => {
      const topic = await newTopic('tail');
      const time = Date.parse('2026-03-04T05:06:07.089Z');
      await send(
        topic,
        {
          value: JSON.stringify({
            level: 50,
            time,
            msg: 'failed \u001b[2J\u009b31m\r\u202e!',
            err: { type: 'Error', message: 'boom', stack: 'Error: boom\n    at a' },
          }),
        },
        {
          value: JSON.stringify({
            level: 'http',
            timestamp: new Date(time).toISOString(),
            message: 'GET /',
            ms: 5,
          }),
        },
        { value: 'text \u001b]0;title\u0007', timestamp: time },
        { value: Buffer.from([0xff, 0xfe]), timestamp: time },
      );
      const env = { TZ: 'UTC' };
      const colour = await startAtTerminal(['tail', topic, ...all, ...plain, '--quiet'], { env })
        .ended;
      const at = '[2026-03-04 05:06:07.089]';
      expect(colour.out.replaceAll('\r\n', '\n')).toBe(
        [
          `${at} \x1b[31mERROR\x1b[39m: \x1b[36mfailed \\u001b[2J\\u009b31m\\u000d\\u202e!\x1b[39m `,
          '    err: {',
          '      "type": "Error",',
          '      "message": "boom",',
          '      "stack":',
          '          Error: boom',
          '              at a',
          '    }',
          `${at} \x1b[34mHTTP\x1b[39m: \x1b[36mGET /\x1b[39m \x1b[90m{"ms":5}\x1b[39m`,
          `${at}: \x1b[36mtext \\u001b]0;title\\u0007\x1b[39m`,
          `${at}: \x1b[36m(no text: 2 bytes, ff fe)\x1b[39m`,
          '',
        ].join('\n'),
      );
      const bare = await startAtTerminal(['tail', topic, ...all, ...plain, '--quiet'], {
        env: { ...env, NO_COLOR: '1' },
      }).ended;
      expect(bare.out).not.toContain('\x1b');
      expect(bare.out).toContain(`${at} ERROR: failed`);
    });
  });

  describe('says what is wrong, in one line,', () => {
    const oneLine = /^diaspora-logger: [^\n]+\n$/;

    it.each([
      [['--from', 'yesterday'], /--from takes earliest, now, -1h .* got "yesterday"/],
      [['--from', '1700000000'], /got "1700000000", which is 1970-01-20T/],
      [['--until', '5m'], /--until takes end, -1h/],
      [['--level', 'loud'], /--level takes a name such as trace/],
      [['--header', 'service'], /--header takes name=value, got "service"/],
      [['--grep', '/(/'], /--grep takes text, or a regular expression between slashes: Invalid/],
      [['-n', '0'], /--count takes a whole number from 1 on, got "0"/],
      [['--commit-after-print'], /--commit-after-print needs --group/],
      [['--group', 'g', '--until', 'end'], /--until does not go with --group/],
      [['--group', 'g', '--from', '-1h'], /with --group.* --from takes earliest or now/i],
    ])('about the arguments %j', async (args, message) => {
      const { code, out, err } = await fail(['tail', 'topic', ...plain, ...args]);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(oneLine);
      expect(err).toMatch(message);
    });

    it('where no topic is named, or none that can be', async () => {
      const none = await fail(['tail', ...plain]);
      expect(none.code).toBe(2);
      expect(none.err).toMatch(/^diaspora-logger: No topic: name it, .*DIASPORA_TOPIC\.\n$/);
      const odd = await fail(['tail', 'my topic', ...plain]);
      expect(odd).toMatchObject({
        code: 2,
        err: expect.stringMatching(/"my topic" cannot be a topic/),
      });
    });

    it('where nobody is signed in', async () => {
      const env = { ...stack.env };
      const { code, err } = await fail(['tail', 'topic'], { env });
      expect(code).toBe(3);
      expect(err).toMatch(oneLine);
      expect(err).toContain(
        'No Globus refresh token: run "npx diaspora-logger request-token --save"',
      );
    });

    it('where there is no such topic, or no right to it', async () => {
      const missing = uniqueTopic('missing');
      const end = await fail(['tail', missing], { env: signedIn });
      expect(end.code).toBe(3);
      expect(end.err).toMatch(oneLine);
      expect(end.err).toContain(`Topic ${missing} does not exist, or this account may not read it`);
      const admin = await fail(['tail', missing, ...plain]);
      expect(admin.code).toBe(1);
      expect(admin.err).toBe(
        `diaspora-logger: Topic ${missing} does not exist: check the spelling; else create or claim it.\n`,
      );
    });

    it('where the account may see the topic, and not read it', async () => {
      const topic = await newTopic('tail');
      await send(topic, { value: 'secret' });
      await stack.revoke(stack.oauthPrincipal, { topic }, ['READ']);
      const { code, out, err } = await fail(['tail', topic, ...all], { env: signedIn });
      expect({ code, out }).toEqual({ code: 3, out: '' });
      expect(lines(err).at(-1)).toMatch(/this account may not read it/);
      expect(err).not.toContain('starts again by itself');
    });

    it('where the group is of others', async () => {
      const topic = uniqueTopic('tail');
      await stack.createTopic(topic, { owner: [] });
      await stack.grant(stack.scramUser.username, { topic }, ['READ', 'DESCRIBE']);
      await stack.revoke(stack.scramUser.username, { group: '*' }, ['READ']);
      const { username, password } = stack.scramUser;
      const env = {
        DIASPORA_USERNAME: username,
        DIASPORA_PASSWORD: password,
        DIASPORA_CA_FILE: stack.caFile,
      };
      const args = ['--brokers', stack.bootstrap('SCRAM'), '--auth', 'scram', '--group', 'theirs'];
      try {
        const { code, err } = await fail(['tail', topic, ...args], { env });
        expect(code).toBe(3);
        expect(lines(err).at(-1)).toContain('consumer group theirs: this account may not use it');
      } finally {
        await stack.grant(username, { group: '*' }, ['READ']);
      }
    });

    it('where the brokers cannot be reached', async () => {
      const args = ['tail', 'topic', '--brokers', '127.0.0.1:1', '--auth', 'none', '--no-tls'];
      const { code, err } = await fail(args);
      expect(code).toBe(4);
      expect(err).toMatch(oneLine);
      expect(err).toContain('cannot be reached (ECONNREFUSED)');
    });

    it('where records are compressed in a way that it does not read', async () => {
      const topic = await newTopic('tail');
      await runKafkaTool('org.apache.kafka.tools.ProducerPerformance', [
        ...['--topic', topic, '--num-records', '3', '--record-size', '10', '--throughput', '-1'],
        ...[
          '--producer-props',
          `bootstrap.servers=${stack.bootstrap('INTERNAL')}`,
          'compression.type=lz4',
        ],
      ]);
      const { code, out, err } = await fail(['tail', topic, ...all, ...plain]);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(lines(err).at(-1)).toMatch(/compressed with LZ4, which cannot be read here/);
    });

    it('where its output cannot be written', async () => {
      const topic = await newTopic('tail');
      await send(topic, ...numbered(3));
      const line = `diaspora-logger tail ${topic} ${all.join(' ')} ${plain.join(' ')} > /dev/full`;
      const end = await startShell(line).ended;
      seen.push(end);
      const { code, err } = end;
      expect(code).toBe(1);
      expect(lines(err).at(-1)).toBe('diaspora-logger: The output cannot be written (ENOSPC).');
    });
  });
});

describe('docs/tail.md', () => {
  const page = new DocsPage('tail.md');

  it('lists what was seen here, with its exit code', () => {
    const [, table = ''] = page.text.split('| you see |');
    const rows = [...table.matchAll(/^\| `([^`]+)` \|.*\| (\d+) \|$/gm)];
    expect(rows.length).toBeGreaterThan(15);
    const unseen = rows.filter(
      ([, text = '', code]) =>
        !seen.some((end) => end.err.includes(text) && end.code === Number(code)),
    );
    expect(unseen.map(([row]) => row)).toEqual([]);
  });

  it('shows commands that run as they stand', async () => {
    const topic = 'api-logs';
    await stack.createTopic(topic).catch(() => undefined);
    const value = JSON.stringify({ level: 40, msg: 'timed out' });
    const record = {
      value,
      key: 'checkout',
      headers: { service: 'api' },
      timestamp: Date.now() - 600_000,
    };
    await send(topic, ...Array.from({ length: 100 }, () => record));
    using snippets = new SnippetDirectory();
    for (const command of page.commands()) {
      if (/--until|-n /.test(command)) {
        const { code, stderr } = await snippets.startShell(command, signedIn).ended;
        expect(code, `${command}: ${stderr}`).toBe(0);
        expect(stderr, command).not.toContain(' 0 printed');
      } else {
        await using live = startCommand(command.split(' ').slice(2), { env: signedIn });
        await live.said('Ctrl-C ends.');
        live.kill('SIGINT');
        expect((await live.ended).code, command).toBe(130);
      }
    }
    const [example] = page.ofLanguage('json');
    const json = await runCommand(['tail', topic, ...all, ...plain, '--json', '-n', '1']);
    expect(Object.keys(JSON.parse(example?.code ?? ''))).toEqual(Object.keys(JSON.parse(json.out)));
    expect(page.untested()).toEqual([]);
  });
});
