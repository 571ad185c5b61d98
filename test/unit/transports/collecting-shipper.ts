/** A shipper that keeps what it is given, for tests of what stands before it. */
import { Counters, type Stats } from '../../../src/delivery/counters.ts';
import type { DeliveryRecord } from '../../../src/delivery/driver.ts';
import type { LogRecord } from '../../../src/delivery/record.ts';
import type { FlushResult } from '../../../src/delivery/shipper.ts';

export class CollectingShipper {
  readonly records: LogRecord[] = [];
  readonly deadLetters: { record: DeliveryRecord; code: string; message: string }[] = [];
  filteredCount = 0;
  closed = false;
  writtenAtFlush = -1;

  get values(): string[] {
    return this.records.map(({ value }) => String(value));
  }

  write(record: LogRecord): void {
    this.records.push(record);
  }

  readonly tooLargeLevels: (number | null)[] = [];

  tooLarge(level: number | null): void {
    this.tooLargeLevels.push(level);
  }

  filtered(): void {
    this.filteredCount += 1;
  }

  deadLetter(record: DeliveryRecord, code: string, message: string): void {
    this.deadLetters.push({ record, code, message });
  }

  async flush(): Promise<FlushResult> {
    this.writtenAtFlush = this.records.length;
    return this.#result();
  }

  async close(): Promise<FlushResult> {
    this.closed = true;
    return this.#result();
  }

  stats(): Stats {
    return new Counters().stats();
  }

  #result(): FlushResult {
    return { acknowledged: this.records.length, dropped: 0, deadLettered: 0, pending: 0 };
  }
}
