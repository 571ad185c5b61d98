/** A shipper before a model of a broker, and what it has to say. */
import type { LogRecord } from '../../../src/delivery/record.ts';
import { Shipper, type ShipperOptions } from '../../../src/delivery/shipper.ts';
import { type DiagnosticEvent, Diagnostics } from '../../../src/diagnostics.ts';
import { ModelBroker } from './model-broker.ts';

export const record = (value: string, more: Partial<LogRecord> = {}): LogRecord => ({
  key: null,
  value,
  headers: [],
  timestamp: 1_700_000_000_000,
  level: 30,
  partition: null,
  ...more,
});

export function setUp(
  more: Partial<ShipperOptions> = {},
  broker = new ModelBroker(),
): { broker: ModelBroker; shipper: Shipper; events: DiagnosticEvent[] } {
  const events: DiagnosticEvent[] = [];
  const shipper = new Shipper({
    topic: 'logs',
    driver: broker,
    diagnostics: new Diagnostics((event) => events.push(event)),
    retry: { minMs: 1, maxMs: 2 },
    acks: 'all',
    lingerMs: 1,
    batchMaxRecords: 10,
    batchMaxBytes: 4096,
    bufferMaxBytes: 1 << 20,
    onOverflow: 'drop-oldest',
    closeTimeoutMs: 2_000,
    deadLetter: null,
    sourceHeaders: false,
    ...more,
  });
  return { broker, shipper, events };
}
