/** An app that logs through the package, or through pino/file for comparison. */
import type { Stats } from '../../../src/delivery/counters.ts';
import type { TransportOptions } from '../../../src/options.ts';
import { type AppEnd, ChildApp } from './child-app.ts';

/** Ways into the package. */
export type Front = 'pino' | 'winston';

export const fronts: readonly Front[] = ['pino', 'winston'];

/** As the tables of results call an app of this front. */
export const appNames: Readonly<Record<Front, string>> = {
  pino: 'Pino, worker',
  winston: 'Winston',
};

/** What a logging app answers. */
export interface LoggingState {
  /** Log calls that have returned. */
  readonly written: number;
  /** 'error' events of the transport, of which there may be none. */
  readonly errorEvents: number;
  /** Pino's worker tells them after each flush. */
  readonly stats: Stats | null;
}

export interface LoggingEnd extends LoggingState {
  /** Longest time that the app's event loop was late, in milliseconds. */
  readonly stallMs: number;
  /** The same without the time in which other processes had the processors. */
  readonly ownStallMs: number;
  readonly closeMs: number;
  /** Highest resident memory of the process, its worker included. */
  readonly maxRssBytes: number;
}

export type Level = 'debug' | 'info' | 'warn' | 'error';

export interface Burst {
  readonly count: number;
  /** Characters added to each record. */
  readonly size?: number;
  /** Of all records. Default: `levels` in turn. */
  readonly level?: Level;
  /** Default: debug, info, warn and error. */
  readonly levels?: readonly Level[];
  /**
   * Waits where the queue to Pino's worker is full, as Pino itself does not: that queue is Pino's own, and has no bound.
   * Default false.
   */
  readonly drains?: boolean;
}

export interface EndedApp extends LoggingEnd, AppEnd {
  readonly output: string;
}

export class LoggingApp {
  readonly #app: ChildApp<LoggingState & Partial<LoggingEnd>>;

  private constructor(front: Front | 'pino/file', options: object, env: Record<string, string>) {
    this.#app = new ChildApp({
      file: 'logging-app.mjs',
      args: [front, JSON.stringify(options)],
      env,
    });
  }

  /** Answers when its transport is made. `sourceHeaders` are on. */
  static async start(
    front: Front,
    options: TransportOptions,
    env: Record<string, string> = {},
  ): Promise<LoggingApp> {
    const app = new LoggingApp(front, { sourceHeaders: true, ...options }, env);
    await app.#app.ready();
    return app;
  }

  /** The app that others are compared with. */
  static async startWithFile(destination: string): Promise<LoggingApp> {
    const app = new LoggingApp('pino/file', { destination }, {});
    await app.#app.ready();
    return app;
  }

  get output(): string {
    return this.#app.output;
  }

  get diagnostics(): { readonly code: string; readonly line: string }[] {
    return this.#app.diagnostics;
  }

  /** Resolves when a diagnostic of this code has been printed: the line. */
  said(code: string): Promise<string> {
    return this.#app.said(code);
  }

  /** Logs so many records a second from now on. */
  logAt(perSecond: number): Promise<LoggingState> {
    return this.#app.tell('rate', perSecond);
  }

  /** Logs nothing from now on. */
  pause(): Promise<LoggingState> {
    return this.#app.tell('pause');
  }

  /** Answers when all are logged. */
  burst(burst: Burst): Promise<LoggingState> {
    return this.#app.tell('burst', burst);
  }

  /** Answers with the counters after it: when everything is settled, or `closeTimeoutMs` is over. */
  flush(): Promise<LoggingState> {
    return this.#app.tell('flush');
  }

  /** Answers once nothing waits any more: a flush ends at a limit of its own. */
  async settled(): Promise<Stats> {
    for (;;) {
      const { stats } = await this.flush();
      if (stats && stats.buffered + stats.inFlight === 0) return stats;
    }
  }

  /** Measures from now on how long the app is held up: what came before, such as its own start, is forgotten. */
  async measure(): Promise<void> {
    await this.#app.tell('measure');
  }

  /** Ends its logger, and waits for the process. */
  async end(): Promise<EndedApp> {
    const told = await this.#app.tell('end');
    const { code, signal } = await this.#app.ended();
    const { stallMs = 0, ownStallMs = 0, closeMs = 0, maxRssBytes = 0 } = told;
    const { output } = this.#app;
    return { ...told, stallMs, ownStallMs, closeMs, maxRssBytes, code, signal, output };
  }

  kill(): void {
    this.#app.kill();
  }
}
