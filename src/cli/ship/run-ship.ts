/** Ships what comes in, and says what became of it. */
import { createDiagnostics, Diagnostics, stderrSink } from '../../diagnostics.ts';
import type { ResolvedTransport } from '../../options.ts';
import { KeepAlive } from '../../produce/keep-alive.ts';
import { exitCodes, SilentExit } from '../exit-codes.ts';
import { printJson } from '../output.ts';
import { checkFollowed, FollowReader } from './follow.ts';
import { type Input, inputsOf } from './inputs.ts';
import { LastTrouble } from './last-trouble.ts';
import { Progress } from './progress.ts';
import { InputReader } from './reader.ts';
import { Shipment } from './shipment.ts';
import { lastWordsMs, Stopping } from './stopping.ts';
import { exitCodeFor, inWords, type Summary } from './summary.ts';
import { Tee } from './tee.ts';

/** An end that takes longer, in milliseconds, is explained. */
const explainedAfterMs = 1_000;

export interface ShipOptions {
  /** Standard input where it names none. */
  readonly files: readonly string[];
  readonly transport: ResolvedTransport;
  readonly tee: boolean;
  readonly json: boolean;
  /** Records have the time of their shipping, instead of that in their line. */
  readonly arrivalTime: boolean;
  /** Where to begin with files that are followed; null where inputs are read to their end. */
  readonly follow: 'end' | 'start' | null;
  /** How long brokers may make it wait, in milliseconds; `Infinity` for as long as it takes. */
  readonly patienceMs: number;
}

/** Throws `ConfigurationError` before anything is sent, and `SilentExit` where not everything was acknowledged. */
export async function runShip(options: ShipOptions): Promise<void> {
  const { files, transport, follow, arrivalTime, patienceMs } = options;
  if (follow) checkFollowed(files);
  const inputs = follow ? [] : inputsOf(files);
  const progress = new Progress();
  const trouble = new LastTrouble();
  const diagnostics =
    transport.diagnostics === 'stderr'
      ? new Diagnostics(
          stderrSink((line) => progress.say(line.trimEnd())),
          trouble.note,
        )
      : createDiagnostics(transport.diagnostics, trouble.note);
  const tee = options.tee ? new Tee(process.stdout, progress.say) : null;
  const shipment = new Shipment({
    transport,
    diagnostics,
    tee,
    isFollowing: follow !== null,
    arrivalTime,
    patienceMs,
    onImpatient: () => stopping.giveUp(),
    say: progress.say,
  });

  const tell = (): Summary => {
    progress.end();
    const { unread } = reader;
    const told = shipment.summary(unread, stopping.signal);
    for (const one of unread) progress.say(`diaspora-logger: ${one}.`);
    // Where stdout is a copy of the input, nothing else belongs there.
    if (options.json) printJson(told, tee ? process.stderr : process.stdout);
    else progress.say(inWords(told));
    return told;
  };
  const stopping = new Stopping({
    onFirst() {
      const explain = (): void => progress.say(explanation(shipment.waiting, inputs, transport));
      setTimeout(explain, explainedAfterMs).unref();
    },
    onSecond(exitCode) {
      shipment.giveUp();
      tell();
      process.exit(exitCode);
    },
  });
  const { linesOf, take } = shipment;
  const reading = { stopping, linesOf, take, say: progress.say };
  const reader = follow
    ? new FollowReader(files, { ...reading, from: follow })
    : new InputReader(inputs, reading);

  // Neither a pipe that is not read nor a broker that is away keeps a process alive.
  const keepAlive = new KeepAlive();
  keepAlive.hold();
  const total = sizeOf(inputs);
  if (total !== null && process.stderr.isTTY && !options.json) {
    await progress.show(total, () => shipment.progressed);
  }
  if (inputs.some(({ kind }) => kind === 'terminal')) {
    progress.say(
      'diaspora-logger: reading lines from the terminal; Ctrl-D at the beginning of one ends.',
    );
  }
  let isTaken = true;
  try {
    await reader.run();
    await shipment.deliver(stopping.asked);
    if (tee) isTaken = await tee.finish(stopping.asked);
  } catch (error) {
    // A defect: the other files are to be read no further, and what was read is told.
    stopping.giveUp();
    shipment.giveUp();
    tell();
    throw error;
  } finally {
    stopping.end();
    keepAlive.release();
  }
  const ownCode =
    exitCodeFor(tell(), trouble.code) || (tee?.failed ? exitCodes.failed : exitCodes.ok);
  const exitCode = stopping.exitCode ?? ownCode;
  // A pipe that nobody reads keeps the process alive with what waits for it, whatever becomes of the stream.
  if (!isTaken) process.exit(exitCode);
  if (exitCode !== exitCodes.ok) throw new SilentExit(exitCode);
}

function explanation(
  waiting: number,
  inputs: readonly Input[],
  { closeTimeoutMs }: ResolvedTransport,
): string {
  const reading = inputs.some(({ kind }) => kind === 'pipe')
    ? `a pipe that was begun is read to its end, for ${lastWordsMs / 1_000} s at most; then `
    : '';
  return `diaspora-logger: ending: ${reading}what was read is delivered, for ${closeTimeoutMs / 1_000} s at most. Not acknowledged yet: ${waiting}. Ctrl-C again ends at once.`;
}

/** Null where one of them has no size that is known. */
function sizeOf(inputs: readonly Input[]): number | null {
  let total = 0;
  for (const { size } of inputs) {
    if (size === null) return null;
    total += size;
  }
  return inputs.length === 0 ? null : total;
}
