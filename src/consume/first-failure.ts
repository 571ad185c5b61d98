/** The faults of a consumer group that only a person can mend: whoever has just begun to read is told at once. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type DiagnosticEvent, diagnosticsChannelName, isDiagnosticEvent } from '../diagnostics.ts';
import { DiasporaError } from '../errors.ts';
import { faultError } from './topic-offsets.ts';

const lasting: ReadonlySet<string> = new Set(['READ_DENIED', 'TOPIC_UNKNOWN', 'SIGN_IN_REFUSED']);

/** kafkajs's words for a codec that it has not. */
const compression = /\((\w+) compression not implemented\)/;

/** What a consumer adds, which goes on trying. */
const goesOn =
  / (The consumer of group \S+ starts again by itself|Until it is known where group .*)\.$/;

/** Calls back at most once; what it answers ends the watch. */
export function onLastingFault(groupId: string, tell: (error: DiasporaError) => void): () => void {
  const listen = (message: unknown): void => {
    if (!isDiagnosticEvent(message) || !isLastingFault(message)) return;
    if (message.detail['groupId'] !== groupId) return;
    stop();
    const [, codec] = compression.exec(message.message) ?? [];
    if (codec !== undefined) {
      tell(unreadable(codec));
      return;
    }
    const said = message.message.replace(goesOn, '');
    const denied = said.includes(`consumer group ${groupId}`) ? 'GROUP' : 'TOPIC';
    tell(faultError({ code: message.code, message: said }, denied));
  };
  const stop = (): void => void unsubscribe(diagnosticsChannelName, listen);
  subscribe(diagnosticsChannelName, listen);
  return stop;
}

/** Whether a consumer has said what ends a reading that has just begun. */
export function isLastingFault({ code, message, detail }: DiagnosticEvent): boolean {
  const isCodec = code === 'CONSUMER_RESTARTED' && compression.test(message);
  return (isCodec || lasting.has(code)) && detail['groupId'] !== undefined;
}

function unreadable(codec: string): DiasporaError {
  return new DiasporaError(
    'COMPRESSION_UNKNOWN',
    `Records of the topic are compressed with ${codec}, which cannot be read here: zstd takes Node 22.15 or later; snappy and lz4 take another client.`,
  );
}
