/** Bounds waiting for something that may never come. */

/**
 * Answers what the promise answers, unless the deadline passes or the signal fires first; whatever the
 * promise does after that is ignored. `late` and `aborted` make the error to throw.
 */
export function within<T>(
  promise: Promise<T>,
  options: {
    /** Milliseconds. */
    readonly timeoutMs: number;
    readonly late: () => Error;
    readonly signal: AbortSignal;
    readonly aborted: () => Error;
  },
): Promise<T> {
  const { timeoutMs, late, signal, aborted } = options;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => settle(() => reject(aborted()));
    const timer = setTimeout(() => settle(() => reject(late())), timeoutMs);
    timer.unref();
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    promise.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
