/** What an app may expect of the package, whatever happens to its records. */
import { expect } from 'vitest';
import type { EndedApp } from '../driving/logging-app.ts';

/** How much longer than the app with pino/file an app may be held up, in milliseconds. */
const stallAllowanceMs = 50;

/** It has ended well, without an 'error' event, and was held up no longer than the one with pino/file. */
export function expectUndisturbed(app: EndedApp, file: EndedApp, name: string): void {
  const { code, signal, errorEvents } = app;
  expect({ code, signal, errorEvents }, name).toEqual({ code: 0, signal: null, errorEvents: 0 });
  expect(app.ownStallMs, name).toBeLessThan(file.ownStallMs + stallAllowanceMs);
}
