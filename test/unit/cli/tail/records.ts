/** Records as a reader gives them. */
import type { ConsumedRecord } from '../../../../src/consume/read-topic.ts';

export function record(more: Partial<ConsumedRecord> = {}): ConsumedRecord {
  return {
    topic: 'logs',
    partition: 0,
    offset: 0n,
    key: null,
    value: Buffer.from('value'),
    headers: [],
    timestamp: Date.UTC(2026, 2, 4, 5, 6, 7),
    ...more,
  };
}
