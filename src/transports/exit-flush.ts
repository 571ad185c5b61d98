/** Keeps a process that has nothing else to do alive until its records are delivered. */
import type { Shipper } from '../delivery/shipper.ts';

type Closable = Pick<Shipper, 'flush' | 'close' | 'stats' | 'giveUp'>;

/** An app that logs each time that the loop runs empty is flushed so often: it would never end. */
const mostFlushes = 5;

/**
 * Shippers in process, how many records each had when it was last flushed, and how often it was. One
 * listener for all, since Node warns of a leak where a process has more than ten.
 */
const flushed = new Map<Closable, { readonly written: number; readonly times: number }>();

/**
 * Flushes when the event loop runs empty, once for all records written by then, and closes when no more
 * came in the meantime. Where the process ends otherwise, says what was not delivered. In process only: Pino ends its worker by itself. Answers a function that takes it back.
 */
export function flushBeforeExit(shipper: Closable): () => void {
  if (flushed.size === 0) process.on('beforeExit', onBeforeExit).on('exit', onExit);
  flushed.set(shipper, { written: -1, times: 0 });
  return () => {
    flushed.delete(shipper);
    if (flushed.size === 0) process.off('beforeExit', onBeforeExit).off('exit', onExit);
  };
}

function onBeforeExit(): void {
  for (const [shipper, before] of flushed) {
    const { written } = shipper.stats();
    // The event comes again each time that the loop runs empty: without an end, an outage would hold the process.
    if (written === before.written || before.times === mostFlushes) {
      void shipper.close({ timeoutMs: 0 });
      continue;
    }
    flushed.set(shipper, { written, times: before.times + 1 });
    void shipper.flush();
    // Other listeners may log only now, also where nothing was logged before: the event comes again for them.
    setImmediate(() => {});
  }
}

/** After `process.exit()` nothing can be sent any more: what is lost is said, and kept where it may be. */
function onExit(): void {
  for (const shipper of flushed.keys()) shipper.giveUp();
}
