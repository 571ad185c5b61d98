/** One check after another: what it found, how long it took, and which others it keeps from being made. */
import { performance } from 'node:perf_hooks';
import { within } from '../../deadline.ts';
import { ConnectionError } from '../../errors.ts';
import { exitCodeOf, exitCodes } from '../exit-codes.ts';
import { type Note, noteOfError } from './advice.ts';

export type Status = 'ok' | 'warning' | 'failed' | 'skipped';

/** What a check answers. It throws where it found what is in the way. */
export interface Finding<T> {
  readonly status: Status;
  readonly notes: readonly Note[];
  /** For the checks that need this one. Without it they are skipped. */
  readonly value?: T;
  /** Where it failed. Default: something else. */
  readonly exitStatus?: number;
}

/** One line of the report. */
export interface CheckResult {
  readonly id: string;
  readonly title: string;
  readonly status: Status;
  readonly notes: readonly Note[];
  /** 0 where it did not fail. */
  readonly exitStatus: number;
  readonly ms: number;
}

/** A check that was made: null where others cannot be made after it. */
export interface Step<T> {
  readonly title: string;
  readonly value: T | null;
}

export interface CheckPlan<Needs extends readonly unknown[]> {
  readonly id: string;
  readonly title: string;
  /** Without any of these it is skipped. */
  readonly needs: { readonly [Index in keyof Needs]: Step<Needs[Index]> };
  /** Said while it runs, behind "waits for". */
  readonly waitsFor: string;
  /** Milliseconds. */
  readonly timeoutMs: number;
}

export interface ExaminationOptions {
  /** Milliseconds that all checks may take together. */
  readonly timeoutMs: number;
  readonly onStart: (plan: { readonly title: string; readonly waitsFor: string }) => void;
  readonly onResult: (result: CheckResult) => void;
}

export class Examination {
  readonly #options: ExaminationOptions;
  readonly #over: number;
  readonly results: CheckResult[] = [];

  constructor(options: ExaminationOptions) {
    this.#options = options;
    this.#over = performance.now() + options.timeoutMs;
  }

  /** Never rejects. `run` is given the values that it needs, and a signal that is aborted when its time is up. */
  async check<Needs extends readonly unknown[], T>(
    plan: CheckPlan<Needs>,
    run: (needs: Needs, signal: AbortSignal) => Promise<Finding<T>> | Finding<T>,
  ): Promise<Step<T>> {
    const { title, needs } = plan;
    const missing = needs.find(({ value }) => value === null);
    if (missing !== undefined) {
      return this.#record(plan, skipped(`not looked at, because of: ${missing.title}`), 0);
    }
    const left = this.#over - performance.now();
    if (left < 100) {
      const seconds = this.#options.timeoutMs / 1_000;
      return this.#record(
        plan,
        skipped(`not looked at: the ${seconds} s of all checks are over`),
        0,
      );
    }
    this.#options.onStart({ title, waitsFor: plan.waitsFor });
    const startedAt = performance.now();
    const values = needs.map(({ value }) => value);
    const finding = await this.#run(plan, Math.min(plan.timeoutMs, left), (signal) => {
      if (!areValues<Needs>(values)) throw new TypeError(`Check ${plan.id} lacks a value.`);
      return run(values, signal);
    });
    return this.#record(plan, finding, performance.now() - startedAt);
  }

  async #run<T>(
    { waitsFor }: { readonly waitsFor: string },
    timeoutMs: number,
    run: (signal: AbortSignal) => Promise<Finding<T>> | Finding<T>,
  ): Promise<Finding<T>> {
    const stop = new AbortController();
    const late = (): Error => noAnswer(waitsFor, timeoutMs);
    try {
      return await within((async () => run(stop.signal))(), { timeoutMs, late });
    } catch (error) {
      return failure(error);
    } finally {
      stop.abort();
    }
  }

  #record<T>(
    { id, title }: { readonly id: string; readonly title: string },
    finding: Finding<T>,
    ms: number,
  ): Step<T> {
    const { status, notes, exitStatus = exitCodes.failed, value = null } = finding;
    const result: CheckResult = {
      id,
      title,
      status,
      notes,
      exitStatus: status === 'failed' ? exitStatus : exitCodes.ok,
      ms: Math.round(ms),
    };
    this.results.push(result);
    this.#options.onResult(result);
    return { title, value };
  }
}

export const noAnswer = (waitsFor: string, timeoutMs: number): ConnectionError =>
  new ConnectionError(
    'TIMED_OUT',
    `No answer within ${Math.round(timeoutMs / 1_000)} s: waited for ${waitsFor}.`,
    false,
  );

/** Those that were needed were found to be there. */
function areValues<Needs extends readonly unknown[]>(values: readonly unknown[]): values is Needs {
  return values.every((value) => value !== null);
}

export const ok = <T>(value: T, ...notes: readonly (string | Note)[]): Finding<T> => ({
  status: 'ok',
  notes: notes.map(asNote),
  value,
});

export const warning = <T>(value: T, ...notes: readonly (string | Note)[]): Finding<T> => ({
  status: 'warning',
  notes: notes.map(asNote),
  value,
});

export const skipped = (...notes: readonly (string | Note)[]): Finding<never> => ({
  status: 'skipped',
  notes: notes.map(asNote),
});

/** What was thrown. Errors of the package say what to do; of others, only the message is known. */
export function failure(error: unknown, ...notes: readonly Note[]): Finding<never> {
  return {
    status: 'failed',
    notes: [...notes, noteOfError(error)],
    exitStatus: exitCodeOf(error),
  };
}

const asNote = (note: string | Note): Note => (typeof note === 'string' ? { text: note } : note);
