/** The stack that integration tests share. Its brokers are everybody's: a test that stops one starts a stack of its own. */

import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { connectStack, type StackClient } from '../stack/stack-client.ts';

/** The one that `test/global-setup.ts` started. The Globus stand-in's switches are shared too: `globus.reset()` after use. */
export function sharedStack(): StackClient {
  return connectStack(inject('stack'));
}

/** A topic name that no other test uses. */
export function uniqueTopic(prefix = 'topic'): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}
