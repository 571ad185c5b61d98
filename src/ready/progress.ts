/** What is told while a connection is waited for. */
import type { ReadyStep } from './round-trip.ts';
import type { TimeLimit } from './time-limit.ts';

/** How it stands. */
export interface ReadyProgress {
  /** What the present try is doing. */
  readonly step: ReadyStep;
  /** Which try this is, from 1 on. */
  readonly attempt: number;
  readonly elapsedMs: number;
  readonly remainingMs: number;
  /** Why the last try failed; null where none has. */
  readonly reason: string | null;
}

/** How often it is told while a try takes its time, in milliseconds. */
const tellEveryMs = 5_000;

/** Keeps how it stands, and tells it. */
export class ProgressTeller {
  readonly #limit: TimeLimit;
  readonly #onProgress: (progress: ReadyProgress) => void;
  readonly #timer: NodeJS.Timeout;
  #step: ReadyStep = 'topic';
  #attempt = 0;
  #reason: string | null = null;

  constructor(limit: TimeLimit, onProgress: (progress: ReadyProgress) => void) {
    this.#limit = limit;
    this.#onProgress = onProgress;
    this.#timer = setInterval(() => this.#tell(), tellEveryMs).unref();
  }

  /** How many tries there have been, the present one included. */
  get attempt(): number {
    return this.#attempt;
  }

  begin(): void {
    this.#attempt += 1;
    this.#step = 'topic';
  }

  reach(step: ReadyStep): void {
    this.#step = step;
  }

  fail(error: unknown): void {
    this.#reason = error instanceof Error ? error.message : String(error);
    this.#tell();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tell(): void {
    const { elapsedMs, remainingMs } = this.#limit;
    const [step, attempt, reason] = [this.#step, this.#attempt, this.#reason];
    try {
      this.#onProgress({ step, attempt, elapsedMs, remainingMs, reason });
    } catch {
      // Whoever is told must not end what it is told of.
    }
  }
}

/** A line is written at most so often, in milliseconds, unless there is another reason to tell. */
const lineEveryMs = 10_000;

const doing: Readonly<Record<ReadyStep, string>> = {
  topic: 'asks the service for the topic',
  'sign-in': 'signs in',
  write: 'writes a record',
  read: 'reads the record back',
};

/** Writes lines on stderr: when the reason is another one, and every ten seconds. */
export function progressLines(
  write: (line: string) => void = (line) => void process.stderr.write(line),
  now: () => number = () => performance.now(),
): (progress: ReadyProgress) => void {
  let saidAt = now();
  let said: string | null = null;
  return (progress) => {
    const isNews = progress.reason !== null && progress.reason !== said;
    if (!isNews && now() - saidAt < lineEveryMs) return;
    saidAt = now();
    said = progress.reason;
    write(`diaspora-logger: ${progressLine(progress)}\n`);
  };
}

/** Such as `not ready yet after 12 s (try 3, gives up in 4 min 48 s): Broker … refused the token.` */
export function progressLine(progress: ReadyProgress): string {
  const { attempt, elapsedMs, remainingMs } = progress;
  const times = `not ready yet after ${duration(elapsedMs)} (try ${attempt}, gives up in ${duration(remainingMs)})`;
  return `${times}: ${reasonOf(progress)}`;
}

/** Why it is not ready yet; where no try has failed, what the first one is doing. */
export function reasonOf(progress: Pick<ReadyProgress, 'step' | 'reason'> | null): string {
  const { step = 'topic', reason = null } = progress ?? {};
  return reason ?? `it ${doing[step]}, and there is no answer yet.`;
}

/** Such as `4 min 48 s`. */
export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const rest = seconds % 60;
  return `${Math.floor(seconds / 60)} min${rest === 0 ? '' : ` ${rest} s`}`;
}
