/** Tells the app's thread what happens in Pino's worker. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { DiagnosticSink } from '../diagnostics.ts';
import { asFields } from './record-builder.ts';

/**
 * Under Pino's worker, a sink that emits each diagnostic on the object that `pino.transport()` returned;
 * null everywhere else: a worker that the app made itself has its own messages. `thread-stream` emits what is
 * posted with the code EVENT, and puts its version into the worker's data.
 */
export function transportEvents(): DiagnosticSink | null {
  const port = parentPort;
  if (isMainThread || !port || !isThreadStream(workerData)) return null;
  return (event) => port.postMessage({ code: 'EVENT', name: event.event, args: [event] });
}

function isThreadStream(data: unknown): boolean {
  const context = asFields(asFields(asFields(data)?.['workerData'])?.['$context']);
  return typeof context?.['threadStreamVersion'] === 'string';
}
