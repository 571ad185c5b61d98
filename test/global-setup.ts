/** Starts the stack that all integration tests of a run share, and ends it after the last. */

import type { TestProject } from 'vitest/node';
import { startStack } from '../stack/stack.ts';
import type { StackCoordinates } from '../stack/stack-client.ts';

declare module 'vitest' {
  interface ProvidedContext {
    stack: StackCoordinates;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stack = await startStack({ onProgress: (line) => console.error(line) });
  project.provide('stack', stack.coordinates);
  return () => stack.stop();
}
