/** A signal for a time that is still to come. */

/** Longest that one of Node's timers can wait, in milliseconds. */
const longestTimerMs = 2 ** 31 - 1;

/** Aborted at this time (milliseconds since the epoch), however far it is. Keeps no process alive. */
export function stopAt(time: number): AbortSignal {
  const controller = new AbortController();
  const wait = (): void => {
    const left = time - Date.now();
    if (left <= 0) controller.abort();
    else setTimeout(wait, Math.min(left, longestTimerMs)).unref();
  };
  wait();
  return controller.signal;
}
