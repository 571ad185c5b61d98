/** How the package speaks of itself: events with stable codes, on a diagnostics channel and to one sink. */

import { channel } from 'node:diagnostics_channel';
import { writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/** Every code that the package can report, and the event that it belongs to. `docs/troubleshooting.md` explains each. */
export const diagnosticCodes = {
  CONNECTED: 'connected',
  DELIVERY_RESUMED: 'connected',
  TLS_CHECK_OFF: 'connected',
  BROKER_UNREACHABLE: 'disconnected',
  BROKER_HOST_UNKNOWN: 'disconnected',
  BROKER_NOT_TLS: 'disconnected',
  BROKER_WANTS_TLS: 'disconnected',
  BROKER_CERTIFICATE_REFUSED: 'disconnected',
  CLIENT_CERTIFICATE_REFUSED: 'disconnected',
  SIGN_IN_REFUSED: 'disconnected',
  BROKER_TOO_OLD: 'disconnected',
  PROTOCOL_VIOLATION: 'disconnected',
  CONNECTION_LOST: 'disconnected',
  BROKER_ERROR: 'retry',
  BROKER_THROTTLED: 'retry',
  REQUEST_TIMED_OUT: 'retry',
  TOPIC_UNKNOWN: 'retry',
  TOPIC_WRITE_DENIED: 'retry',
  TOPIC_RECREATED: 'retry',
  IDEMPOTENCE_DENIED: 'retry',
  BATCH_TOO_LARGE: 'retry',
  CLOCK_SKEW: 'retry',
  PRODUCER_FENCED: 'retry',
  POSSIBLY_REPEATED: 'retry',
  READ_DENIED: 'retry',
  CONSUMER_RESTARTED: 'retry',
  COMMIT_FAILED: 'retry',
  OFFSET_OUT_OF_RANGE: 'retry',
  BUFFER_FULL: 'overflow',
  RECORD_TOO_LARGE: 'dead-letter',
  RECORD_INVALID: 'dead-letter',
  DEAD_LETTER_UNWRITABLE: 'dead-letter',
  TRANSFORM_FAILED: 'dead-letter',
  NOT_DELIVERED: 'unresolved',
  INTERNAL_ERROR: 'unresolved',
  TOKEN_REFRESHED: 'token-refreshed',
  TOKEN_ROTATED: 'token-refreshed',
  TOKEN_ENDPOINT_UNAVAILABLE: 'token-rejected',
  TOKEN_REFUSED_BY_BROKER: 'token-rejected',
  TOKEN_REQUEST_REFUSED: 'token-rejected',
  TOKEN_MODULE_FAILED: 'token-rejected',
  REFRESH_TOKEN_INVALID: 'token-rejected',
  CREDENTIALS_MISSING: 'token-rejected',
  SERVICE_UNAVAILABLE: 'token-rejected',
  SERVICE_REFUSED: 'token-rejected',
  SERVICE_KEY_REFUSED: 'token-rejected',
  AWS_CREDENTIALS_FAILED: 'token-rejected',
} as const;

/** Codes of what keeps records from their broker, and ends when one is acknowledged again. */
const troubles: ReadonlySet<DiagnosticCode> = new Set(
  Object.entries(diagnosticCodes).flatMap(([code, event]) =>
    event === 'disconnected' || event === 'token-rejected' ? [code as DiagnosticCode] : [],
  ),
)
  .add('BROKER_ERROR')
  .add('BROKER_THROTTLED')
  .add('REQUEST_TIMED_OUT')
  .add('TOPIC_UNKNOWN')
  .add('TOPIC_WRITE_DENIED');

/** Name of a diagnostic event. */
export type DiagnosticName =
  | 'connected'
  | 'disconnected'
  | 'retry'
  | 'overflow'
  | 'dead-letter'
  | 'unresolved'
  | 'token-refreshed'
  | 'token-rejected';

/** Stable code of a diagnostic event. */
export type DiagnosticCode = keyof typeof diagnosticCodes;

/** What a diagnostic event carries beside its text. Never a secret. */
export type DiagnosticDetail = Readonly<Record<string, string | number | boolean | null>>;

/** One thing that the package has to say about itself. */
export interface DiagnosticEvent {
  readonly event: DiagnosticName;
  readonly code: DiagnosticCode;
  /** One or two sentences: what happened, to what, and what to do. */
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly detail: DiagnosticDetail;
}

/** Where diagnostics go: the default export of a `diagnostics` module has this shape too. */
export type DiagnosticSink = (event: DiagnosticEvent) => void;

/** Name of the `node:diagnostics_channel` on which every event is published. */
export const diagnosticsChannelName = 'diaspora-logger';

/** Of what is published there: only the package itself publishes. */
export const isDiagnosticEvent = (message: unknown): message is DiagnosticEvent =>
  typeof message === 'object' && message !== null && 'code' in message && 'detail' in message;

/** Least time between two lines of one code on stderr, in milliseconds. */
const stderrIntervalMs = 30_000;

/** Publishes events. Sinks that fail are ignored: what the package says of itself must never hurt the app. */
export class Diagnostics {
  readonly #channel = channel(diagnosticsChannelName);
  readonly #sinks: DiagnosticSink[];
  #depth = 0;
  #troubles = 0;

  constructor(...sinks: DiagnosticSink[]) {
    this.#sinks = sinks;
  }

  /** True while sinks and subscribers run: a record that they log is the package's own echo. */
  get speaking(): boolean {
    return this.#depth > 0;
  }

  /** How often something was said that keeps records from their broker. */
  get troubles(): number {
    return this.#troubles;
  }

  emit(code: DiagnosticCode, message: string, detail: DiagnosticDetail = {}): void {
    const event: DiagnosticEvent = {
      event: diagnosticCodes[code],
      code,
      message,
      time: Date.now(),
      detail,
    };
    if (troubles.has(code)) this.#troubles += 1;
    this.#depth += 1;
    for (const sink of this.#sinks) tell(sink, event);
    if (this.#channel.hasSubscribers) this.#channel.publish(event);
    this.#depth -= 1;
  }
}

/** An async function fits a sink's type too: what it rejects with is caught like what others throw. */
function tell(sink: DiagnosticSink, event: DiagnosticEvent): void {
  try {
    const answer: unknown = sink(event);
    Promise.resolve(answer).catch(() => {});
  } catch {
    // The sink's own trouble.
  }
}

/** Codes that are news rather than trouble: not written to stderr. */
const quietOnStderr: ReadonlySet<DiagnosticCode> = new Set(['CONNECTED', 'TOKEN_REFRESHED']);

/**
 * Writes one line a code each 30 s to stderr, with the number of lines held back since the last; a
 * line that cannot be written, such as into a full pipe, is among them. `fs.writeSync(2)`, because a
 * worker's `process.stderr` waits for the main thread's event loop. `now` never goes back, in milliseconds.
 */
export function stderrSink(
  write: (line: string) => void = (line) => writeSync(2, line),
  now: () => number = () => performance.now(),
): DiagnosticSink {
  const seen = new Map<DiagnosticCode, { writtenAt: number; heldBack: number }>();
  return ({ code, message }) => {
    if (quietOnStderr.has(code)) return;
    const entry = seen.get(code) ?? { writtenAt: Number.NEGATIVE_INFINITY, heldBack: 0 };
    seen.set(code, entry);
    const { writtenAt, heldBack } = entry;
    entry.heldBack += 1;
    const at = now();
    if (at - writtenAt < stderrIntervalMs) return;
    const more = heldBack > 0 ? ` (${heldBack} more of this kind since the last line)` : '';
    try {
      write(`diaspora-logger ${code}: ${message}${more}\n`);
    } catch {
      return;
    }
    entry.writtenAt = at;
    entry.heldBack = 0;
  };
}

/**
 * Diagnostics with the sink that the `diagnostics` option names: `stderr`, `silent`, or the URL of a
 * module. Events that come before the module is loaded wait for it; a module that cannot be loaded
 * is said on stderr, which then takes its place.
 */
export function createDiagnostics(setting: string, ...extraSinks: DiagnosticSink[]): Diagnostics {
  if (setting === 'silent') return new Diagnostics(...extraSinks);
  if (setting === 'stderr') return new Diagnostics(stderrSink(), ...extraSinks);
  return new Diagnostics(moduleSink(setting), ...extraSinks);
}

function moduleSink(url: string): DiagnosticSink {
  const waiting: DiagnosticEvent[] = [];
  let sink: DiagnosticSink = (event) => waiting.push(event);
  const goOn = (next: DiagnosticSink): void => {
    sink = next;
    for (const event of waiting.splice(0)) tell(sink, event);
  };
  const fallBack = (why: string): void => {
    try {
      writeSync(2, `diaspora-logger: the diagnostics module ${why}; diagnostics go to stderr.\n`);
    } catch {
      // Such as into a full pipe: the events themselves are tried next.
    }
    goOn(stderrSink());
  };
  import(url).then(
    (module: { default?: unknown }) => {
      const receive = module.default;
      if (typeof receive === 'function') goOn((event) => receive(event));
      else fallBack(`${url} has no function as its default export`);
    },
    (error: unknown) => {
      fallBack(`${url} cannot be loaded (${error instanceof Error ? error.message : error})`);
    },
  );
  return (event) => sink(event);
}
