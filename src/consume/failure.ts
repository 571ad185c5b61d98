/** What a failure inside kafkajs means to an operator. */
import type { DiagnosticCode } from '../diagnostics.ts';

/** The code that a failure is reported under. */
export function failureCode(error: unknown): DiagnosticCode {
  for (const cause of causes(error)) {
    const type = 'type' in cause ? cause.type : null;
    if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return 'TOPIC_UNKNOWN';
    if (cause.name === 'KafkaJSSASLAuthenticationError') return 'SIGN_IN_REFUSED';
    if (cause.name === 'KafkaJSConnectionError') return 'BROKER_UNREACHABLE';
    if (cause.name === 'KafkaJSConnectionClosedError') return 'CONNECTION_LOST';
    if (cause.name === 'KafkaJSRequestTimeoutError') return 'REQUEST_TIMED_OUT';
  }
  return 'CONSUMER_RESTARTED';
}

/** The innermost message: kafkajs wraps it in news of its own retries. */
export function failureMessage(error: unknown): string {
  return causes(error).at(-1)?.message ?? String(error);
}

function causes(error: unknown): Error[] {
  const found: Error[] = [];
  for (let at = error; at instanceof Error && !found.includes(at); at = at.cause) found.push(at);
  return found;
}
