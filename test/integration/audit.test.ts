import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Audit, auditTopic } from '../../src/cli/audit/audit-topic.ts';
import type { ConsumedRecord } from '../../src/consume/consumed-record.ts';
import { openTopic } from '../../src/consume/read-topic.ts';
import { DiasporaLogger } from '../../src/index.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { buildPackage } from './built-package.ts';
import { runCommand, startCommand, startShell } from './command.ts';
import { DocsPage } from './docs-page.ts';
import { newTopic, plainOptions, signedInEnv } from './topic-content.ts';

beforeAll(() => buildPackage());

/** Nobody signed in: for tests of what is not about connecting. */
function plain(): string[] {
  return ['--brokers', sharedStack().bootstrap('INTERNAL'), '--auth', 'none', '--no-tls'];
}

function kafka(): kafkajs.Kafka {
  const brokers = sharedStack().bootstrap('INTERNAL').split(',');
  return new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING });
}

/** What `--json` prints: offsets are strings there. */
interface Printed extends Audit {
  readonly clean: boolean;
}

async function audit(
  topic: string,
  args: readonly string[] = [],
): Promise<{ code: number | null; err: string; found: Printed }> {
  const { code, out, err } = await runCommand(['audit', topic, '--json', ...plain(), ...args]);
  if (out === '') throw new Error(`It has printed nothing, and ended with ${code}: ${err}`);
  return { code, err, found: JSON.parse(out) };
}

/** Writes records that are numbered so, each partition's in this order. */
async function write(
  topic: string,
  partitions: readonly (readonly number[])[],
  sourceId = 'source',
): Promise<void> {
  const { topic: _, ...options } = plainOptions(topic);
  await using logger = new DiasporaLogger(options);
  const sent = partitions.flatMap((numbers, partition) =>
    numbers.map((n) => {
      const headers = { 'source-id': sourceId, 'source-seq': String(n) };
      return logger.send(topic, `record ${n}`, { partition, headers });
    }),
  );
  await Promise.all(sent);
}

/** One record a batch, of which a fetch brings one. */
async function writeLarge(topic: string, count: number): Promise<void> {
  const { topic: _, ...options } = plainOptions(topic);
  await using logger = new DiasporaLogger({ ...options, compression: 'none' });
  for (let n = 0; n < count; n += 1) {
    const headers = { 'source-id': 'source', 'source-seq': String(n) };
    await logger.send(topic, 'x'.repeat(700_000), { partition: 0, headers });
  }
}

/** As retention does, of partition 0. */
async function deleteBefore(topic: string, offset: string): Promise<void> {
  const admin = kafka().admin();
  await admin.connect();
  // It knows no topic that it was not asked about.
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] });
  await admin.disconnect();
}

describe('audit', () => {
  it('proves that a file was shipped, each line once', async () => {
    const topic = await newTopic('audit', 3);
    const path = join(await newDirectory(), 'app.log');
    await writeFile(path, 'a line of some length\n'.repeat(20_000));
    const flags = ['--topic', topic, ...plain(), '--source-headers', '--json'];
    const { sourceId } = JSON.parse((await runCommand(['ship', ...flags, path])).out);

    const { code, out, err } = await runCommand(['audit', topic, ...plain(), '--expect', '20000']);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toBe(
      [
        `Topic ${topic}: 20,000 records in 3 partitions, 1 source.`,
        '',
        `Source ${sourceId}: 20,000 records, numbers 0 to 19,999: none lost, repeated or out of order`,
        '',
      ].join('\n'),
    );

    const more = await audit(topic, ['--expect', '20001']);
    expect(more.code).toBe(1);
    expect(more.found.clean).toBe(true);
    expect(more.err).toContain('expected 20001 different records with a number, found 20000');
  });

  it('tells what is lost, repeated and out of order, and where', async () => {
    const topic = await newTopic('audit', 2);
    await write(topic, [
      [0, 1, 4, 5],
      [6, 8, 7, 1],
    ]);
    await write(topic, [[0]], 'another');
    const { code, found } = await audit(topic);
    expect(code).toBe(1);
    expect(found).toMatchObject({ topic, clean: false, partitions: 2, records: 9, unnumbered: 0 });
    expect(found.sources).toHaveLength(2);
    expect(found.sources).toContainEqual({
      sourceId: 'source',
      records: 8,
      different: 7,
      first: 0,
      last: 8,
      lostCount: 2,
      lost: [
        {
          from: 2,
          to: 3,
          behind: { partition: 0, offset: '1' },
          before: { partition: 0, offset: '2' },
        },
      ],
      unreadCount: 0,
      openCount: 0,
      repeatedCount: 1,
      repeated: [
        {
          sequence: 1,
          places: [
            { partition: 0, offset: '1' },
            { partition: 1, offset: '3' },
          ],
        },
      ],
      reorderedCount: 1,
      reordered: [{ sequence: 7, partition: 1, offset: '2', after: 8 }],
    });

    const { out } = await runCommand(['audit', topic, ...plain()]);
    expect(out).toContain(
      [
        'Source source: 8 records, numbers 0 to 8',
        '  lost: 2',
        '    2 to 3, between partition 0 offset 1 and partition 0 offset 2',
        '  repeated: 1',
        '    1, at partition 0 offset 1 and partition 1 offset 3',
        '  out of order: 1',
        '    7, at partition 1 offset 2, behind 8',
      ].join('\n'),
    );
  });

  it('lists no more faults than it is told to, and counts all', async () => {
    const topic = await newTopic('audit');
    await write(topic, [[1, 3, 5, 7]]);
    const { found } = await audit(topic, ['--limit', '1']);
    expect(found.sources).toMatchObject([{ lostCount: 4, lost: [{ from: 0, to: 0 }] }]);
  });

  it('does not judge what retention has taken, nor what is before --from', async () => {
    const topic = await newTopic('audit', 2);
    await write(topic, [
      [0, 1, 4, 5],
      [2, 3, 6, 8],
    ]);
    await deleteBefore(topic, '3');
    const { code, found } = await audit(topic);
    expect(code).toBe(1);
    expect(found.sources).toMatchObject([
      { unreadCount: 3, lostCount: 1, lost: [{ from: 7, to: 7 }] },
    ]);
    const later = await audit(topic, ['--from', new Date(Date.now() + 60_000).toISOString()]);
    expect(later).toMatchObject({ code: 0, found: { records: 0, sources: [] } });
  });

  it('begins anew where retention overtakes it: what it could not read is not lost', async () => {
    const topic = await newTopic('audit');
    await writeLarge(topic, 6);
    let readings = 0;
    const audit = await auditTopic(
      async () => {
        readings += 1;
        let isWhole = true;
        const reader = await openTopic(
          { ...plainOptions(topic), diagnostics: 'silent' },
          {
            from: 'earliest',
            to: 'end',
            onCut: () => {
              isWhole = false;
            },
          },
        );
        async function* records(): AsyncGenerator<ConsumedRecord> {
          for await (const record of reader.records()) {
            // One fetch brings one of these records: the next one comes too late.
            if (record.offset === 0n) await deleteBefore(topic, '4');
            yield record;
          }
          await reader.close();
        }
        return { partitions: reader.partitions, records, isWhole: () => isWhole };
      },
      { limit: 20, since: null },
    );
    expect(readings).toBe(2);
    expect(audit).toMatchObject({
      records: 2,
      sources: [{ lostCount: 0, unreadCount: 4, openCount: 0, first: 4, last: 5 }],
    });
  });

  it('ends behind a transaction, and counts none that was given up', async () => {
    const topic = await newTopic('audit');
    const producer = kafka().producer({ transactionalId: topic, maxInFlightRequests: 1 });
    await producer.connect();
    for (const n of [0, 1]) {
      const transaction = await producer.transaction();
      const headers = { 'source-id': 'source', 'source-seq': String(n) };
      await transaction.send({ topic, messages: [{ value: 'x', headers }] });
      await (n === 0 ? transaction.commit() : transaction.abort());
    }
    await producer.disconnect();
    const { code, found } = await audit(topic);
    expect(code).toBe(0);
    expect(found).toMatchObject({ records: 1, sources: [{ records: 1, last: 0 }] });
  });

  it('counts records without numbers, and says that they prove nothing', async () => {
    const topic = await newTopic('audit');
    await runCommand(['ship', '--topic', topic, ...plain()], { input: 'a\nb\n' });
    const { code, out } = await runCommand(['audit', topic, ...plain()]);
    expect(code).toBe(0);
    expect(out).toContain('Without numbers, and not judged: 2.');
    expect(await audit(topic, ['--expect', '2'])).toMatchObject({ code: 1 });
  });

  it('is done at once with an empty topic', async () => {
    const topic = await newTopic('audit');
    const { code, out } = await runCommand(['audit', topic, ...plain()]);
    expect({ code, out }).toEqual({
      code: 0,
      out: `Topic ${topic}: 0 records in 1 partition, 0 sources.\n`,
    });
  });

  it('reads as who has signed in', async () => {
    const topic = await newTopic('audit');
    await write(topic, [[0, 1]]);
    const { code, out } = await runCommand(['audit', topic], { env: await signedInEnv() });
    expect(code).toBe(0);
    expect(out).toContain('none lost, repeated or out of order');
  });
});

describe('audit fails, with the cause in one line,', () => {
  it('where there is no such topic', async () => {
    const { code, out, err } = await runCommand(['audit', 'audit-never-made', ...plain()]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^diaspora-logger: .*audit-never-made.* does not exist.*\n$/);
  });

  it('where this account may not read it', async () => {
    const topic = uniqueTopic('audit');
    await sharedStack().createTopic(topic, { owner: 'somebody-else' });
    const { code, out, err } = await runCommand(['audit', topic], { env: await signedInEnv() });
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toMatch(/^diaspora-logger: .*may not read it.*\n$/);
  });

  it('where the token is no good', async () => {
    const topic = await newTopic('audit');
    const env = { ...(await signedInEnv()), DIASPORA_REFRESH: 'nobody-has-it' };
    const { code, out, err } = await runCommand(['audit', topic], { env });
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain('request-token');
    expect(err).not.toContain('nobody-has-it');
  });

  it('where no broker answers', async () => {
    const nowhere = ['--brokers', '127.0.0.1:9', '--auth', 'none', '--no-tls'];
    const { code, out, err } = await runCommand(['audit', 'topic', ...nowhere]);
    expect({ code, out }).toEqual({ code: 4, out: '' });
    expect(err).toMatch(/^diaspora-logger: .*127\.0\.0\.1:9.*\n$/);
  });

  it('where the arguments are wrong', async () => {
    const cases: [args: string[], words: string][] = [
      [[], 'No topic: name it'],
      [['topic', '--from', 'soon'], '--from takes'],
      [['topic', '--limit', 'many'], 'It takes a whole number.'],
      [['no topic'], 'cannot be a topic'],
    ];
    const refused = cases.map(async ([args, words]) => {
      const { code, err } = await runCommand(['audit', ...plain(), ...args]);
      expect(code, String(args)).toBe(2);
      expect(err).toContain(words);
    });
    await Promise.all(refused);
  });

  it('where it is interrupted: what it had read proves nothing', async () => {
    // A broker that never answers.
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const flags = ['--brokers', `127.0.0.1:${port}`, '--auth', 'none', '--no-tls'];
    const asked = once(server, 'connection');
    const command = startCommand(['audit', 'topic', ...flags]);
    await asked;
    command.kill('SIGINT');
    expect(await command.ended).toMatchObject({ code: 130, out: '', err: '' });
  });
});

describe('docs/audit.md', () => {
  const page = new DocsPage('audit.md');
  const npx = 'npx() { shift; diaspora-logger "$@"; }';

  it.each(page.ofLanguage('sh').map(({ code }) => code.trim()))('%s', async (snippet) => {
    const topic = await newTopic('audit');
    const cwd = await newDirectory();
    await writeFile(join(cwd, 'monday.log'), 'a\n\nb\n');
    const script = `set -e; ${npx}\n${snippet.replaceAll('archive', topic)}`;
    const end = await startShell(script, { cwd, env: await signedInEnv() }).ended;
    expect(end.code, end.err).toBe(0);
  });

  it('shows what it prints', async () => {
    const [clean = '', faulty = ''] = page.ofLanguage('text').map(({ code }) => code);
    const [, sourceId = ''] = /^Source ([\da-f-]+):/m.exec(faulty) ?? [];
    const topic = await newTopic('audit', 2);
    await write(
      topic,
      [
        [0, 1, 4, 5],
        [7, 6, 1],
      ],
      sourceId,
    );
    const { out } = await runCommand(['audit', topic, ...plain()]);
    expect(out).toBe(faulty.replace('archive', topic));
    const million = await newTopic('audit', 3);
    await write(million, [[0], [1], [2]], sourceId);
    const { out: few } = await runCommand(['audit', million, ...plain()]);
    const grown = few.replaceAll('3 records', '1,000,000 records').replace('to 2:', 'to 999,999:');
    expect(grown).toBe(clean.replace('archive', million));
  });

  it('has no other snippets', () => {
    expect(page.untested()).toEqual([]);
  });
});

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'audit-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
