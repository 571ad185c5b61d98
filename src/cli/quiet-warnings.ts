/** Keeps one warning of Node's from stderr: kafkajs sets timers in the past, and nobody who runs a command can help that. */
import type { EventEmitter } from 'node:events';

/** Node 24 and later emit it. */
const unhelpful = 'TimeoutNegativeWarning';

/** All others are told as before, by Node's own listener. */
export function quietWarnings(source: EventEmitter = process): void {
  const listeners = source.listeners('warning');
  source.removeAllListeners('warning');
  source.on('warning', (warning: unknown) => {
    if (warning instanceof Error && warning.name === unhelpful) return;
    for (const tell of listeners) Reflect.apply(tell, source, [warning]);
  });
}
