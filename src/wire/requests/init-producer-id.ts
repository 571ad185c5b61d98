/** InitProducerId: a producer id for a client without transactions. */
import type { Api } from '../api.ts';
import { MalformedReplyError } from '../reader.ts';

export interface InitProducerIdReply {
  readonly throttleMs: number;
  readonly errorCode: number;
  readonly producerId: bigint;
  readonly epoch: number;
}

export const initProducerId: Api<Readonly<Record<string, never>>, InitProducerIdReply> = {
  key: 22,
  name: 'InitProducerId',
  minVersion: 1,
  maxVersion: 5,
  flexible: (version) => version >= 2,
  encode(_body, version, writer) {
    writer.string(null); // transactional_id
    writer.int32(0x7fff_ffff); // transaction_timeout_ms: not looked at without a transactional id
    if (version >= 3) {
      writer.int64(-1n); // producer_id
      writer.int16(-1); // producer_epoch
    }
    writer.tags();
  },
  decode(reader) {
    const reply = {
      throttleMs: reader.int32(),
      errorCode: reader.int16(),
      producerId: reader.int64(),
      epoch: reader.int16(),
    };
    reader.tags();
    // Brokers store batches of such a producer without comparing their stamps, or fence it.
    if (reply.errorCode === 0 && (reply.producerId < 0n || reply.epoch < 0)) {
      throw new MalformedReplyError('a producer id or its epoch is below zero');
    }
    return reply;
  },
  throttleMs: ({ throttleMs }) => throttleMs,
};
