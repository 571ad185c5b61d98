/** A log record on its way through delivery, and how it ends. */
import type { DeliveryError } from '../errors.ts';
import type { DeliveryRecord } from './driver.ts';

/** What a transport or a producer hands to the shipper. */
export interface LogRecord extends DeliveryRecord {
  /** Pino's numbers, 10 (trace) to 60 (fatal); null where there is none. */
  readonly level: number | null;
  /** The partition that it must go to; null lets the key, or the shipper, choose. */
  readonly partition: number | null;
  /** Called once, when the record is acknowledged or given up. Must not throw. */
  readonly settle?: Settle;
}

/** How a record ended. */
export type Settlement =
  | {
      readonly kind: 'acknowledged';
      readonly partition: number;
      /** Null in the one case where the broker proves the record stored without telling where. */
      readonly offset: bigint | null;
      /** Milliseconds since the epoch, as stored. */
      readonly timestamp: number;
    }
  | { readonly kind: 'failed'; readonly error: DeliveryError };

export type Settle = (settlement: Settlement) => void;
