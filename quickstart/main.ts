/**
 * `npm run quickstart`: starts the local stack, logs through Pino and Winston, reads everything back, and
 * counts. `-- --keep` leaves the stack running.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import Table from 'cli-table3';
import ora from 'ora';
import pretty from 'pino-pretty';
import { auditTopic } from '../stack/audit.ts';
import { MissingToolError } from '../stack/jars.ts';
import { type Stack, startStack } from '../stack/stack.ts';
import { systemTextFiles } from './system-text.ts';

const topic = 'quickstart';
const requests = 400;
const linesPerRequest = 20;
const shownRecords = 3;
const checkout = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');

/** What an app says when it ends. */
interface Logged {
  readonly logged: number;
  readonly stats: { readonly acknowledged: number };
}

/** A line of `read-back.js`. */
interface ReadBack {
  readonly partition: number;
  readonly offset: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string;
}

/** A signal that asks the quickstart to end. */
class Interruption extends Error {
  override readonly name = 'Interruption';
  /** As a shell tells it: 128 and the signal's number. */
  readonly exitCode: number;

  constructor(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') {
    super(`interrupted by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stopping.abort(new Interruption(signal)));
}
// After SIGHUP the terminal is gone, and what cannot be written there must not keep the stack from being stopped.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

type Environment = Readonly<Record<string, string>>;

/** Shows a step while it runs, and how long it took. */
async function step<T>(
  title: string,
  work: (progress: (line: string) => void) => Promise<T>,
  result: (value: T) => string = () => title,
): Promise<T> {
  const started = performance.now();
  const spinner = ora({
    text: title,
    stream: process.stderr,
    // It would read Ctrl-C from the terminal, which is to reach the apps too.
    discardStdin: false,
    // It never comes to the end of a line on a terminal without columns.
    ...(process.stderr.isTTY && !(process.stderr.columns > 0) && { isEnabled: false }),
  }).start();
  const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  try {
    const value = await work((line) => {
      spinner.text = `${title}: ${line}`;
    });
    spinner.succeed(`${result(value)} (${seconds()})`);
    return value;
  } catch (error) {
    spinner.fail(`${title} (${seconds()})`);
    throw error;
  }
}

/** Starts one of the quickstart's apps. Its stderr is shown, its stdout comes line by line. */
function app(script: string, env: Environment, ...args: readonly string[]) {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    signal: stopping.signal,
    killSignal: 'SIGKILL',
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = once(child, 'exit');
  // Nobody waits for it yet where the app is stopped before it was expected to end.
  exited.catch(() => {});
  return {
    child,
    lines,
    async nextLine(): Promise<string> {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${script} ended before it said what was expected of it`);
      return value;
    },
    async end(): Promise<void> {
      const [code, signal] = await exited;
      if (code !== 0) throw new Error(`${script} ended with ${signal ?? `exit status ${code}`}`);
    },
  };
}

/** Log files of this system as request bodies: real text, some lines each. */
function bodies(files: readonly string[]): string[] {
  const lines = files.flatMap((file) => readFileSync(file, 'utf8').split('\n'));
  const filled = lines.filter((line) => line.trim() !== '');
  return Array.from({ length: requests }, (_, request) =>
    Array.from(
      { length: linesPerRequest },
      (_, line) => filled[(request * linesPerRequest + line) % filled.length],
    ).join('\n'),
  );
}

async function driveWebService(env: Environment, files: readonly string[]): Promise<Logged> {
  const service = app('web-service.js', env);
  const url = await service.nextLine();
  const result = await autocannon({
    url: `${url}/lines`,
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    requests: bodies(files).map((body) => ({ body })),
    amount: requests,
    connections: 4,
  });
  service.child.kill('SIGTERM');
  const said: Logged = JSON.parse(await service.nextLine());
  await service.end();
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(`${result.non2xx + result.errors} requests to the web service failed`);
  }
  return said;
}

async function runWinstonJob(env: Environment, files: readonly string[]): Promise<Logged> {
  const job = app('winston-job.js', env, ...files);
  const said: Logged = JSON.parse(await job.nextLine());
  await job.end();
  return said;
}

async function readBack(env: Environment): Promise<ReadBack[]> {
  const reader = app('read-back.js', env, topic, 'quickstart-readers');
  const records: ReadBack[] = [];
  for await (const line of { [Symbol.asyncIterator]: () => reader.lines }) {
    records.push(JSON.parse(line));
  }
  await reader.end();
  return records;
}

async function count(written: readonly Logged[], records: readonly ReadBack[]) {
  const headersOf = ({ headers }: ReadBack) =>
    Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)] as const);
  const audit = await auditTopic(
    records.map((record) => ({
      partition: record.partition,
      offset: BigInt(record.offset),
      timestamp: 0,
      key: null,
      headers: headersOf(record).map(([name, value]): [string, Buffer] => [name, value]),
      value: Buffer.from(record.value),
    })),
  );
  const logged = sum(written, (one) => one.logged);
  const found = sum([...audit.sources.values()], (records) => records);
  return {
    logged,
    acknowledged: sum(written, ({ stats }) => stats.acknowledged),
    read: records.length,
    lost: logged - found,
    repeated: audit.repeated.length,
  };
}

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

/** An app's records are told by how its framework calls the text: Pino `msg`, Winston `message`. */
function recordsWith(messageKey: string, records: readonly ReadBack[]): ReadBack[] {
  return records.filter(({ value }) => messageKey in JSON.parse(value));
}

/** The last records of each source as a person reads them. */
async function show(records: readonly ReadBack[]): Promise<void> {
  for (const messageKey of ['msg', 'message']) {
    const lines = recordsWith(messageKey, records);
    const printer = pretty({ messageKey, singleLine: true, ignore: 'pid,hostname', sync: true });
    Readable.from(lines.slice(-shownRecords).map(({ value }) => `${value}\n`)).pipe(printer);
    await once(printer, 'finish');
  }
}

/** One line of the table. */
interface Row extends Logged {
  readonly app: string;
  readonly read: number;
}

function table(rows: readonly Row[], read: number): string {
  const lines = new Table({
    head: ['', 'logged', 'acknowledged', 'read back'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const row of rows) lines.push([row.app, row.logged, row.stats.acknowledged, row.read]);
  const acknowledged = sum(rows, ({ stats }) => stats.acknowledged);
  lines.push(['together', sum(rows, ({ logged }) => logged), acknowledged, read]);
  return lines.toString();
}

function keepRunning(env: Environment): string {
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${value}`);
  return `
The stack goes on until Ctrl-C. In another terminal:

${exports.join('\n')}

and in your own app, after \`npm install pino ${checkout}\`:

import pino from 'pino';
const transport = pino.transport({ target: 'diaspora-logger/pino' });
const logger = pino(transport);
logger.info('my first record');
`;
}

async function untilStopped(): Promise<void> {
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort');
}

/** Rejects when a signal comes. */
async function interruption(): Promise<never> {
  await untilStopped();
  throw stopping.signal.reason;
}

/** Answers whether every record was found once, and what an app needs to log to the same topic. */
async function run(stack: Stack): Promise<{ whole: boolean; env: Environment }> {
  const { refreshToken, principal } = await step(
    'Signing in at the Globus stand-in (authorization code with PKCE)',
    () => stack.globus.signIn(),
    (identity) => `Signed in as ${identity.principal}`,
  );
  await step(`Making topic ${topic} for ${principal}`, () =>
    stack.createTopic(topic, { partitions: 3 }),
  );
  const env = { ...stack.env, DIASPORA_TOPIC: topic, DIASPORA_REFRESH: refreshToken };
  const files = systemTextFiles();
  const pino = await step(
    `Logging through Pino: a Fastify service under ${requests} requests`,
    () => driveWebService(env, files),
    ({ logged }) => `Pino logged ${logged} records of a Fastify service`,
  );
  const winston = await step(
    `Logging through Winston: ${files.length} files of this system, line by line`,
    () => runWinstonJob(env, files),
    ({ logged }) => `Winston logged ${logged} lines of ${files.length} files of this system`,
  );
  const records = await step(
    'Reading the topic back with the example consumer (it ends 10 s after the last record)',
    () => readBack(env),
    ({ length }) => `Read ${length} records back`,
  );
  console.log('\nThe last of them:\n');
  await show(records);
  const rows: Row[] = [
    { app: 'Pino, in its worker', ...pino, read: recordsWith('msg', records).length },
    { app: 'Winston', ...winston, read: recordsWith('message', records).length },
  ];
  console.log(`\n${table(rows, records.length)}`);
  const { logged, acknowledged, read, lost, repeated } = await count(rows, records);
  console.log(
    `quickstart: ${logged} logged, ${acknowledged} acknowledged, ${read} read back, ${lost} lost, ${repeated} repeated`,
  );
  const whole = logged === acknowledged && logged === read && lost === 0 && repeated === 0;
  return { whole, env };
}

/** Answers the exit code. */
async function main({ keep }: { readonly keep: boolean }): Promise<number> {
  try {
    // A signal waits until the stack has started: half of one could not be stopped.
    await using stack = await step('Starting Kafka and the Globus stand-in', (onProgress) =>
      startStack({ onProgress }),
    );
    stopping.signal.throwIfAborted();
    const { whole, env } = await Promise.race([run(stack), interruption()]);
    if (keep) {
      console.log(keepRunning(env));
      // The end that was announced, and no interruption.
      await untilStopped();
    }
    return whole ? 0 : 1;
  } catch (error) {
    // Ctrl-C reaches the apps and Maven too: that these fail is no news then.
    const { reason } = stopping.signal;
    if (reason instanceof Interruption) return reason.exitCode;
    console.error(error instanceof MissingToolError ? error.message : error);
    return 1;
  }
}

const { values: flags } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
process.exitCode = await main(flags);
// Requests that were given up would be tried to their last.
if (stopping.signal.aborted) process.exit();
