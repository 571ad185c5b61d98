/** Bounds waiting for something that may never come. */
import { performance } from 'node:perf_hooks';

/** A timer that comes so late, in milliseconds, was held up by this process itself. */
const heldUpMs = 1_000;
/** What it waited for gets so long still, in milliseconds: it may take more than one turn of the event loop. */
const graceMs = 1_000;

/**
 * Calls `late` once so many milliseconds have passed, unless the function that it answers is called
 * first. Node runs timers before it reads sockets (https://nodejs.org/en/learn/asynchronous-work/event-loop-timers-and-nexttick),
 * so that after a blocked event loop the answer may lie unread: sockets are read once more before
 * the time is up.
 */
export function deadline(timeoutMs: number, late: () => void): () => void {
  const due = performance.now() + timeoutMs;
  let reading: NodeJS.Immediate | undefined;
  const readOnce = (): void => {
    reading = setImmediate(late);
  };
  let timer = setTimeout(() => {
    if (performance.now() - due < heldUpMs) {
      readOnce();
      return;
    }
    timer = setTimeout(readOnce, graceMs);
    timer.unref();
  }, timeoutMs);
  timer.unref();
  return () => {
    clearTimeout(timer);
    clearImmediate(reading);
  };
}

/**
 * Answers what the promise answers, unless the deadline passes or the signal fires first; whatever the
 * promise does after that is ignored. `late` and `aborted` make the error to throw. Keeps no process alive.
 */
export function within<T>(
  promise: Promise<T>,
  options: {
    /** Milliseconds. */
    readonly timeoutMs: number;
    readonly late: () => Error;
    readonly signal?: AbortSignal;
    /** Default: the signal's own reason. */
    readonly aborted?: () => Error;
  },
): Promise<T> {
  const { timeoutMs, late, signal, aborted } = options;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => settle(() => reject(aborted?.() ?? signal?.reason));
    const stop = deadline(timeoutMs, () => settle(() => reject(late())));
    const settle = (act: () => void): void => {
      stop();
      signal?.removeEventListener('abort', onAbort);
      act();
    };
    promise.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}
