/**
 * The package against kafkajs's own `send`, and a log call against `pino/file`, on a real broker with
 * TLS and OAUTHBEARER. `npm run build`, then `npm run bench`; `bench/README.md` tells how to read it.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Stack, startStack } from '../stack/stack.ts';
import { type Contestant, contestants } from './contestants.ts';
import { type Processes, prepareProcesses } from './processes.ts';
import { type Figures, missedTargets, report } from './report.ts';
import type { LogCallTask, Measured } from './task.ts';
import { lines, partitions } from './workload.ts';

const usage = `Usage: npm run bench -- [options]

  --rounds <number>    rounds that count, after one that does not (default 6)
  --records <number>   records a contestant and round (default 100000)
  --only <text>        contestants whose name contains this; several times for several
  --profile <dir>      writes CPU profiles of all threads there: the figures are then slower
  --no-check           exit status 0 though a target is missed`;

/**
 * As Kafka's own start script has it (`bin/kafka-server-start.sh`, `bin/kafka-run-class.sh`). The stack's options
 * make for a quick start instead: without
 * Java's optimising compiler, decrypting alone would be the limit.
 */
const servingJava = [
  '-Xms1g',
  '-Xmx1g',
  '-XX:TieredStopAtLevel=4',
  '-XX:-UseSerialGC',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
];

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '6' },
      records: { type: 'string', default: '100000' },
      only: { type: 'string', multiple: true, default: [''] },
      profile: { type: 'string' },
      check: { type: 'boolean', default: true },
      help: { type: 'boolean', default: false },
    },
    allowNegative: true,
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const rounds = wholeNumber('--rounds', values.rounds);
  const records = wholeNumber('--records', values.records);
  const chosen = contestants.filter(({ name }) => values.only.some((part) => name.includes(part)));
  if (values.profile !== undefined) await mkdir(values.profile, { recursive: true });

  await using processes = await prepareProcesses(values.profile ?? null);
  await using stack = await startStack({
    javaOptions: servingJava,
    onProgress: (line) => console.error(line),
  });
  const figures = await interleave(chosen, rounds, (contestant) =>
    measure(stack, processes, contestant, records),
  );
  const lineBytes = Math.max(...lines(1_000).map((line) => Buffer.byteLength(line)));
  console.log(report(figures, { rounds, records, lineBytes }));
  const missed = missedTargets(figures);
  for (const line of missed) console.log(`MISSED: ${line}`);
  return values.check && missed.length > 0 ? 1 : 0;
}

/** A B C A B C …: what else the machine does hits all alike. The first round warms it up, and does not count. */
async function interleave(
  chosen: readonly Contestant[],
  rounds: number,
  run: (contestant: Contestant) => Promise<Measured>,
): Promise<Figures> {
  const figures = chosen.map((contestant) => ({ contestant, measured: [] as Measured[] }));
  for (let round = 0; round <= rounds; round += 1) {
    console.error(round === 0 ? 'Warming up' : `Round ${round} of ${rounds}`);
    for (const { contestant, measured } of figures) {
      const result = await run(contestant);
      if (round > 0) measured.push(result);
    }
  }
  return figures;
}

/** A topic and a directory of its own for each: nobody pays for what another left. */
async function measure(
  stack: Stack,
  processes: Processes,
  { program, setting, records: ownRecords }: Contestant,
  records: number,
): Promise<Measured> {
  const topic = `bench-${program}`;
  const directory = await mkdtemp(join(tmpdir(), 'diaspora-bench-'));
  const task: LogCallTask = {
    ...setting,
    bootstrapBrokers: stack.env.DIASPORA_BOOTSTRAP,
    caFile: stack.caFile,
    issuer: stack.issuer,
    refreshToken: (await stack.globus.signIn()).refreshToken,
    topic,
    records: ownRecords ?? records,
    packageUrl: new URL('../dist/', import.meta.url).href,
    file: join(directory, 'lines.log'),
  };
  await stack.createTopic(topic, { partitions });
  try {
    const measured = await processes.run(program, task);
    if (setting.to === 'kafka') await checkStored(stack, topic, task.records);
    return measured;
  } finally {
    await stack.deleteTopic(topic);
    await rm(directory, { recursive: true });
  }
}

/** What the broker says it has, beside what the contestant says. */
async function checkStored(stack: Stack, topic: string, records: number): Promise<void> {
  let stored = 0n;
  for (const end of (await stack.endOffsets(topic)).values()) stored += end;
  if (stored < records) throw new Error(`Topic ${topic} holds ${stored} of ${records} records.`);
}

function wholeNumber(option: string, value: string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new RangeError(`${option} takes a whole number above 0, got ${value}.`);
}
