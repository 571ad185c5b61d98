/** Keeps a process that has nothing else to do alive until its records are delivered. */
import type { Shipper } from '../delivery/shipper.ts';

type Closable = Pick<Shipper, 'flush' | 'close' | 'stats' | 'giveUp'>;

/** An app that logs each time that the loop runs empty is flushed so often: it would never end. */
const mostFlushes = 100;

/** Where a shipper stood when it was last flushed, and how often it was. */
interface Flushed {
  readonly written: number;
  readonly acknowledged: number;
  /** Whether it had anything to deliver. */
  readonly waited: boolean;
  readonly times: number;
}

const never: Flushed = { written: -1, acknowledged: 0, waited: false, times: 0 };

/** Shippers in process. One listener for all, since Node warns of a leak where a process has more than ten. */
const flushed = new Map<Closable, Flushed>();

/**
 * Flushes when the event loop runs empty, once for all records written by then, and closes when no more
 * came in the meantime. Where the process ends otherwise, says what was not delivered. In process only: Pino ends its worker by itself. Answers a function that takes it back.
 */
export function flushBeforeExit(shipper: Closable): () => void {
  if (flushed.size === 0) process.on('beforeExit', onBeforeExit).on('exit', onExit);
  flushed.set(shipper, never);
  return () => {
    flushed.delete(shipper);
    if (flushed.size === 0) process.off('beforeExit', onBeforeExit).off('exit', onExit);
  };
}

function onBeforeExit(): void {
  for (const [shipper, before] of flushed) {
    const { written, acknowledged, buffered, inFlight } = shipper.stats();
    // The event comes again each time that the loop runs empty: without an end, an outage would hold the process.
    const inVain = before.waited && acknowledged === before.acknowledged;
    if (written === before.written || inVain) {
      void shipper.close({ timeoutMs: 0 });
      continue;
    }
    if (before.times === mostFlushes) {
      void shipper.close();
      continue;
    }
    const waited = buffered + inFlight > 0;
    flushed.set(shipper, { written, acknowledged, waited, times: before.times + 1 });
    void shipper.flush();
    // Other listeners may log only now, also where nothing was logged before: the event comes again for them.
    setImmediate(() => {});
  }
}

/** After `process.exit()` nothing can be sent any more: what is lost is said, and kept where it may be. */
function onExit(): void {
  for (const shipper of flushed.keys()) shipper.giveUp();
}
