/** Tells the app's thread what happens in Pino's worker. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { asFields } from './record-builder.ts';

/**
 * Under Pino's worker, a function that emits an event on the object that `pino.transport()` returned; null
 * everywhere else: a worker that the app made itself has its own messages. `thread-stream` emits what is
 * posted with the code EVENT, and puts its version into the worker's data.
 */
export function transportEmitter(): ((name: string, payload: unknown) => void) | null {
  const port = parentPort;
  if (isMainThread || !port || !isThreadStream(workerData)) return null;
  return (name, payload) => port.postMessage({ code: 'EVENT', name, args: [payload] });
}

function isThreadStream(data: unknown): boolean {
  const context = asFields(asFields(asFields(data)?.['workerData'])?.['$context']);
  return typeof context?.['threadStreamVersion'] === 'string';
}
