import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { noteOfError } from '../../../../src/cli/doctor/advice.ts';
import { judgeClock } from '../../../../src/cli/doctor/clock.ts';
import { examineNode } from '../../../../src/cli/doctor/configuration.ts';
import { examineEnvironment, knownVariables } from '../../../../src/cli/doctor/environment.ts';
import { failure } from '../../../../src/cli/doctor/examination.ts';
import { worstOf } from '../../../../src/cli/doctor/exit-status.ts';
import { examineTls } from '../../../../src/cli/doctor/tls.ts';
import { lifeText } from '../../../../src/cli/doctor/token.ts';
import { examineIdempotence, judgeTopic } from '../../../../src/cli/doctor/topic.ts';
import { exitCodeOf } from '../../../../src/cli/exit-codes.ts';
import {
  AuthenticationError,
  BrokerError,
  ConfigurationError,
  ConnectionError,
} from '../../../../src/errors.ts';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const source = join(root, 'src');

describe('the environment', () => {
  const textOf = (env: Record<string, string>): string => {
    const { status, notes } = examineEnvironment(env);
    return [status, ...notes.flatMap(({ text, advice = '' }) => [text, advice])].join('\n');
  };

  it('is known as a whole', () => {
    const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    );
    const named = files.flatMap(
      (name) => readFileSync(join(source, name), 'utf8').match(/\bDIASPORA_[A-Z_]+[A-Z]\b/g) ?? [],
    );
    const mistakes = ['DIASPORA_SDK', 'DIASPORA_LOGGER'];
    expect(
      [...new Set(named)].filter((name) => !(name in knownVariables) && !mistakes.includes(name)),
    ).toEqual([]);
  });

  it('is shown without its secrets, and without what looks like one', () => {
    const secret = 'AgX0kz8Vb7-sJd93_kQ1mNbv5tYhG2wErTyUiOp4aSdF';
    for (const name of Object.keys(knownVariables)) {
      expect(textOf({ [name]: secret }), name).not.toContain(secret);
    }
    const proxy = textOf({ HTTPS_PROXY: `http://user:${secret}@proxy.example.org:3128` });
    expect(proxy).toContain('HTTPS_PROXY http://proxy.example.org:3128');
    expect(proxy).not.toContain(secret);
  });

  it('shows what is no secret', () => {
    expect(
      textOf({
        DIASPORA_BOOTSTRAP: 'a.example.org:9094,b.example.org:9094',
        DIASPORA_TOPIC: 'logs',
      }),
    ).toBe('ok\nDIASPORA_BOOTSTRAP a.example.org:9094,b.example.org:9094\n\nDIASPORA_TOPIC logs\n');
  });

  it.each([
    [{ DIASPORA_TOPIC: '"logs"' }, /DIASPORA_TOPIC is in quotes/],
    [{ DIASPORA_TOPIC: ' logs' }, /begins or ends with blanks$/m],
    [{ DIASPORA_PASSWORD: 'secret ' }, /begins or ends with blanks, and they count/],
    [{ DIASPORA_TOPIC: '' }, /is set to nothing/],
    [{ DIASPORA_REFRESH: 'a\nb' }, /holds a line break/],
    [{ DIASPORA_REFRESH: 'a\u200bb' }, /characters that nobody sees/],
    [{ DIASPORA_CA_FILE: '/no/such/file' }, /names a file that is not there/],
    [
      { DIASPORA_BOOSTRAP: 'x' },
      /is no variable of this package\nDid you mean DIASPORA_BOOTSTRAP\?/,
    ],
    [{ DIASPORA_REFRESH: 'a', DIASPORA_REFRESH_FILE: '/dev/null' }, /are both set/],
    [{ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, /no certificate is checked/],
  ])('is doubted where %j', (env, message) => {
    expect(textOf(env)).toMatch(/^warning/);
    expect(textOf(env)).toMatch(message);
  });
});

describe("Node's version", () => {
  it.each([
    ['20.19.0', 'ok'],
    ['22.1.0', 'ok'],
    ['20.18.3', 'failed'],
    ['18.20.0', 'failed'],
  ])('%s is %s', (version, status) => {
    expect(examineNode(version).status).toBe(status);
  });

  it('is compared with what the package takes', () => {
    const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(examineNode('20.0.0').notes[0]?.advice).toBe(
      `Use Node ${engines.node.replace('>=', '')} or newer.`,
    );
  });
});

describe('a topic', () => {
  const partition = (id: number, more = {}) => ({
    id,
    leader: 1,
    replicas: [1, 2],
    inSync: [1, 2],
    ...more,
  });

  it.each([
    [
      'ok',
      [partition(0), partition(1)],
      /^logs: 2 partitions, 2 copies of each, all led and in sync$/,
    ],
    ['warning', [partition(0, { leader: null }), partition(1)], /without a leader: 0$/],
    ['warning', [partition(0, { inSync: [1] })], /^logs: 1 partition, .* copies are behind of: 0$/],
    ['failed', [partition(0, { leader: null })], /no partition has a leader/],
  ])('is %s', (status, partitions, message) => {
    const finding = judgeTopic('logs', null, partitions);
    expect(finding.status).toBe(status);
    expect(finding.notes[0]?.text).toMatch(message);
  });

  it('is asked about at a partition that has a leader', () => {
    const { value } = judgeTopic('logs', 'id', [
      partition(0, { leader: null }),
      partition(1, { leader: 7 }),
    ]);
    expect(value).toEqual({ topic: 'logs', topicId: 'id', partition: 1, leader: 7 });
  });
});

describe('the right to a producer id', () => {
  // Kafka has given it to whoever may write since 2.8 (KIP-679): no broker of the stack withholds it.
  const answers = (...codes: number[]) => ({
    request: async <Reply>(): Promise<Reply> =>
      Object({ throttleMs: 0, errorCode: codes.shift() ?? 0, producerId: 1n, epoch: 0 }),
  });
  const signal = new AbortController().signal;

  it('is missed where the broker says so', async () => {
    const { status, notes } = await examineIdempotence(answers(31), signal);
    expect(status).toBe('warning');
    expect(notes[0]?.advice).toMatch(/IDEMPOTENT_WRITE/);
  });

  it('is asked for again while the broker loads', async () => {
    expect((await examineIdempotence(answers(14, 14, 0), signal)).status).toBe('ok');
  });
});

describe('a clock', () => {
  const minute = 60_000;
  it.each([
    [[], false, 'skipped', /nobody tells the time/],
    [[0], false, 'ok', /^as Globus Auth has it$/],
    [[-4_000], false, 'ok', /^4 s ahead of Globus Auth$/],
    [[minute], false, 'warning', /^1 min behind Globus Auth$/],
    [[-120 * minute], false, 'failed', /^2 h 0 min ahead of Globus Auth$/],
    [[], true, 'failed', /the broker refused the time/],
  ])('that is off by %j ms, refused: %s, is %s', (skews, refused, status, message) => {
    const finding = judgeClock(
      skews.map((aheadMs) => ({ whose: 'Globus Auth', aheadMs })),
      refused,
    );
    expect(finding.status).toBe(status);
    expect(finding.notes[0]?.text).toMatch(message);
  });
});

describe('plain text', () => {
  it('is worth a word to another machine, and none to this one', async () => {
    const signal = new AbortController().signal;
    const of = async (host: string) =>
      (await examineTls([{ host, port: 9092 }], null, signal)).status;
    expect(await of('broker.example.org')).toBe('warning');
    expect(await of('localhost')).toBe('ok');
  });
});

describe('times left', () => {
  it.each([
    [45_000, '45 s'],
    [-1, '0 s'],
    [3_540_000, '59 min'],
    [172_740_000, '47 h 59 min'],
    [30 * 86_400_000, '30 days'],
  ])('of %i ms are %s', (ms, text) => {
    expect(lifeText(ms)).toBe(text);
  });
});

describe('what to do', () => {
  it('is the last sentence of an error, or known by its code', () => {
    expect(
      noteOfError(
        new ConnectionError(
          'X',
          'Broker a.b.example.org:1 cannot be reached (E). Check bootstrapBrokers, and the rest.',
          false,
        ),
      ),
    ).toEqual({
      text: 'Broker a.b.example.org:1 cannot be reached (E).',
      advice: 'Check bootstrapBrokers, and the rest.',
    });
    expect(
      noteOfError(
        new AuthenticationError(
          'TOKEN_ENDPOINT_UNAVAILABLE',
          'Globus Auth at http://127.0.0.1:1 gives no token: HTTP 503.',
          true,
        ),
      ),
    ).toMatchObject({
      text: 'Globus Auth at http://127.0.0.1:1 gives no token: HTTP 503.',
      advice: expect.stringContaining('HTTPS_PROXY'),
    });
    expect(noteOfError(new TypeError('oops. Never seen.'))).toEqual({ text: 'oops. Never seen.' });
  });
});

describe('the exit status', () => {
  it.each([
    [new ConfigurationError('x'), 2],
    [new ConnectionError('BROKER_CERTIFICATE_REFUSED', 'x', false), 4],
    [new ConnectionError('BROKER_UNREACHABLE', 'x', false), 4],
    [new ConnectionError('CLIENT_CERTIFICATE_REFUSED', 'x', false), 3],
    [new AuthenticationError('X', 'x', false), 3],
    [new AuthenticationError('X', 'x', true), 4],
    [new BrokerError('UNKNOWN_TOPIC_OR_PARTITION', 3, 'x', false), 1],
    [new BrokerError('TOPIC_AUTHORIZATION_FAILED', 29, 'x', false), 3],
    [new TypeError('x'), 1],
  ])('of %s is %i', (error, status) => {
    expect(failure(error).exitStatus).toBe(status);
    // Any other command ends with the same.
    expect(exitCodeOf(error)).toBe(status);
  });

  it('of several is that of the worst', () => {
    expect(worstOf([0, 1, 4, 3, 2])).toBe(2);
    expect(worstOf([1, 4])).toBe(4);
    expect(worstOf([0, 1])).toBe(1);
    expect(worstOf([0])).toBe(0);
  });
});
