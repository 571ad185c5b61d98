/** Keeps a process that has nothing else to do alive until its records are delivered. */
import type { Shipper } from '../delivery/shipper.ts';

/**
 * Flushes when the event loop runs empty, once for all records written by then, and closes when no more
 * came in the meantime. In process only: Pino ends its worker by itself. Answers a function that takes it back.
 */
export function flushBeforeExit(shipper: Pick<Shipper, 'flush' | 'close' | 'stats'>): () => void {
  let flushed = 0;
  const onBeforeExit = (): void => {
    const { written } = shipper.stats();
    // The event comes again each time that the loop runs empty: without an end, an outage would hold the process.
    if (written === flushed) void shipper.close({ timeoutMs: 0 });
    else void shipper.flush();
    flushed = written;
  };
  process.on('beforeExit', onBeforeExit);
  return () => process.off('beforeExit', onBeforeExit);
}
