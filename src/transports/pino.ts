/** Pino's transport: `pino.transport({ target: 'diaspora-logger/pino', options })`. */
import { createDiagnostics, type DiagnosticEvent } from '../diagnostics.ts';
import { type ResolvedTransport, resolveTransport, type TransportOptions } from '../options.ts';
import { openShipper } from '../produce/connect.ts';
import { flushBeforeExit } from './exit-flush.ts';
import { DiasporaPinoStream } from './pino-stream.ts';
import { RecordBuilder } from './record-builder.ts';
import { loadTransform } from './transform.ts';
import { transportEmitter } from './transport-events.ts';

export type { Stats } from '../delivery/counters.ts';
export type { DiagnosticEvent } from '../diagnostics.ts';
export type { TransportOptions } from '../options.ts';
export type { DiasporaPinoStream } from './pino-stream.ts';
export type { Transform } from './transform.ts';

/** Pino waits 10 s for its worker at the end of a process. */
const longestCloseMs = 9_000;

/** What Pino and its worker put beside the options of a target. */
const ofPino: ReadonlySet<string> = new Set(['$context', 'pinoWillSendConfig', 'levels', 'dedupe']);

/**
 * Ships each of Pino's lines, exactly as written, to a Kafka topic.
 *
 * ```js
 * import pino from 'pino';
 * const transport = pino.transport({ target: 'diaspora-logger/pino', options: { topic: 'app-logs' } });
 * const logger = pino(transport);
 * ```
 *
 * In a worker, under `targets`, as the last of a `pipeline`, or in process: `pino(diaspora(options))`. Throws
 * `ConfigurationError`; nothing after that throws or emits 'error'. `end()` delivers what is left, within
 * `closeTimeoutMs`, before 'finish' and 'close'. Under Pino's worker each diagnostic is also emitted on the
 * object that `pino.transport` returns, by its event's name, `transport.on('retry', (event) => …)`, and after each flush and at the end the
 * counters: `transport.on('stats', (stats) => …)`.
 */
export default function transport(options: TransportOptions = {}): DiasporaPinoStream {
  const emit = transportEmitter();
  const resolved = withinExit(resolveTransport(ownOptions(options)), emit !== null);
  const transform = resolved.transform === null ? null : loadTransform(resolved.transform);
  const diagnostics = createDiagnostics(
    resolved.diagnostics,
    ...(emit ? [(event: DiagnosticEvent) => emit(event.event, event)] : []),
  );
  const shipper = openShipper(resolved, diagnostics);
  const stream = new DiasporaPinoStream({
    shipper,
    diagnostics,
    builder: new RecordBuilder(resolved),
    transform,
    bufferMaxBytes: resolved.bufferMaxBytes,
    ...(emit && { onSettled: () => emit('stats', shipper.stats()) }),
  });
  stream.once('close', flushBeforeExit(shipper));
  return stream;
}

/** In its worker, closing must end before Pino ends the worker, or nobody could say what was not delivered. */
function withinExit(options: ResolvedTransport, inWorker: boolean): ResolvedTransport {
  if (!inWorker || options.closeTimeoutMs <= longestCloseMs) return options;
  return { ...options, closeTimeoutMs: longestCloseMs };
}

function ownOptions(options: unknown): unknown {
  if (typeof options !== 'object' || options === null) return options;
  return Object.fromEntries(Object.entries(options).filter(([name]) => !ofPino.has(name)));
}
