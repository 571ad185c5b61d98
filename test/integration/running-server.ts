/** A web service that a test has started. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningApp } from './built-package.ts';

/** Milliseconds between attempts. */
const pollMs = 50;

/** The first answer of a server that is starting. Rejects where its process ends before. */
export async function firstAnswer(app: RunningApp, url: string): Promise<Response> {
  let hasEnded = false;
  void app.ended.then(() => {
    hasEnded = true;
  });
  for (;;) {
    const answer = await fetch(url).catch(() => null);
    if (answer !== null) return answer;
    if (hasEnded)
      throw new Error(`It ended before it answered: ${JSON.stringify(await app.ended)}`);
    await delay(pollMs);
  }
}
