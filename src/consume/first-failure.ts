/** The faults of a consumer group that only a person can mend: whoever has just begun to read is told at once. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type DiagnosticEvent, diagnosticsChannelName } from '../diagnostics.ts';
import type { DiasporaError } from '../errors.ts';
import { faultError } from './topic-offsets.ts';

const lasting: ReadonlySet<string> = new Set(['READ_DENIED', 'TOPIC_UNKNOWN', 'SIGN_IN_REFUSED']);

/** What a consumer adds, which goes on trying. */
const goesOn =
  / (The consumer of group \S+ starts again by itself|Until it is known where group .*)\.$/;

/** Calls back at most once; what it answers ends the watch. */
export function onLastingFault(groupId: string, tell: (error: DiasporaError) => void): () => void {
  const listen = (message: unknown): void => {
    if (!isEvent(message) || !isLastingFault(message)) return;
    if (message.detail['groupId'] !== groupId) return;
    stop();
    const said = message.message.replace(goesOn, '');
    const denied = said.includes(`consumer group ${groupId}`) ? 'GROUP' : 'TOPIC';
    tell(faultError({ code: message.code, message: said }, denied));
  };
  const stop = (): void => void unsubscribe(diagnosticsChannelName, listen);
  subscribe(diagnosticsChannelName, listen);
  return stop;
}

/** Whether a consumer has said what ends a reading that has just begun. */
export function isLastingFault({ code, detail }: DiagnosticEvent): boolean {
  return lasting.has(code) && detail['groupId'] !== undefined;
}

/** Only the package itself publishes there. */
const isEvent = (message: unknown): message is DiagnosticEvent =>
  typeof message === 'object' && message !== null && 'code' in message && 'detail' in message;
