/** Keeps the process alive while somebody waits for an answer: sockets and timers here do not. */

/** `setInterval` takes no more, in milliseconds. */
const longestTimerMs = 2 ** 31 - 1;

/** As the promise, and while it is open the process lives. */
export async function waitedFor<T>(promise: Promise<T>): Promise<T> {
  const hold = setInterval(() => {}, longestTimerMs);
  try {
    return await promise;
  } finally {
    clearInterval(hold);
  }
}
