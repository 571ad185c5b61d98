/** From the bytes of one input to records: each line as it stands. */
import type { Shipper } from '../../delivery/shipper.ts';
import { LineCutter } from '../../transports/line-cutter.ts';
import type { LineHead } from '../../transports/pino-line.ts';
import { parseFields, type RecordBuilder } from '../../transports/record-builder.ts';
import type { Copy } from './copy.ts';
import { headOf } from './json-head.ts';
import type { Room } from './room.ts';

/** Of a record beside its value: headers with their source, lengths, the batch's own. More than they ever take, in bytes. */
const overheadBytes = 1_024;

/** Kafka keeps records for a week unless a topic says otherwise, and goes by their own times: in milliseconds. */
const defaultRetentionMs = 7 * 86_400_000;

const newline = 0x0a;

export interface LineShipperOptions {
  readonly shipper: Pick<Shipper, 'write' | 'tooLarge'>;
  readonly builder: RecordBuilder;
  readonly room: Room;
  /** Where the input is passed on to; null for nowhere. */
  readonly copy: Pick<Copy, 'push' | 'end'> | null;
  /** A line that is longer can wait nowhere: it is dropped, counted and said. */
  readonly maxBytes: number;
  /** Whether records have the time of their shipping, instead of that in their line. */
  readonly arrivalTime: boolean;
  /** Called for each record that is older than Kafka keeps records by default. */
  readonly onOld: (timestamp: number) => void;
  /** Whether what is left of the input stays where it is, as in a file: a line that is cut off is then whole there. */
  readonly canBeReadAgain: boolean;
  /** Nothing more comes, and the shipper has all lines. */
  readonly onEnd: (lines: LineShipper) => void;
}

/**
 * Lines are cut from Latin-1, in which each byte is one character: whatever the input's encoding, a line comes out with the
 * bytes that it had. Lines with nothing in them are no records; LF and CRLF are no part of one.
 */
export class LineShipper {
  readonly #options: LineShipperOptions;
  readonly #cutter: LineCutter;
  #lines: string[] = [];
  /** How many of these the shipper has. */
  #taken = 0;
  #bytes = 0;
  #wholeLines = 0;

  constructor(options: LineShipperOptions) {
    const { shipper, maxBytes } = options;
    this.#options = options;
    this.#cutter = new LineCutter(
      {
        line: (line) => this.#lines.push(line),
        tooLong: (beginning) =>
          shipper.tooLarge(
            headOf(beginning, Date.now()).level,
            `A line of more than ${maxBytes} bytes was dropped: the buffer cannot hold it. Set bufferMaxBytes in the file of --config.`,
          ),
      },
      maxBytes,
    );
  }

  /** That were pushed. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes up to the end of the last line that has one. */
  get wholeLineBytes(): number {
    return this.#wholeLines;
  }

  /** Resolves when the buffer has room for all lines of this chunk, and the copy is taken: only then may more be read. */
  async push(chunk: Buffer): Promise<void> {
    const last = chunk.lastIndexOf(newline);
    if (last !== -1) this.#wholeLines = this.#bytes + last + 1;
    this.#bytes += chunk.length;
    this.#cutter.push(chunk.toString('latin1'));
    // Both at once: whatever comes while one of them waits, the other has the chunk.
    await Promise.all([this.#options.copy?.push(chunk), this.#ship()]);
  }

  /** The input has ended, and with it its last line, which may have no newline. */
  async end(): Promise<void> {
    this.#wholeLines = this.#bytes;
    this.#cutter.end();
    await Promise.all([this.#options.copy?.end(), this.#ship()]);
    this.#options.onEnd(this);
  }

  /** It is read no further: a line that has begun is shipped as it is where this is all that is left of it. */
  async leave(): Promise<void> {
    if (this.#options.canBeReadAgain) this.#options.onEnd(this);
    else await this.end();
  }

  /** The process ends now: the shipper gets what is in hand at once, to count and to keep. */
  giveUp(): void {
    if (!this.#options.canBeReadAgain) this.#cutter.end();
    const arrival = Date.now();
    while (this.#next !== undefined) this.#writeNext(arrival);
  }

  /** The first line that the shipper does not have. */
  get #next(): string | undefined {
    return this.#lines[this.#taken];
  }

  async #ship(): Promise<void> {
    const { room } = this.#options;
    const arrival = Date.now();
    for (let line = this.#next; line !== undefined; line = this.#next) {
      const bytes = line.length + overheadBytes;
      if (!room.has(bytes)) await room.for(bytes);
      this.#writeNext(arrival);
    }
    this.#lines = [];
    this.#taken = 0;
  }

  #writeNext(arrival: number): void {
    const line = this.#next;
    if (line === undefined) return;
    this.#taken += 1;
    this.#write(line, arrival);
  }

  #write(line: string, arrival: number): void {
    const { shipper, builder, onOld } = this.#options;
    const value = Buffer.from(line, 'latin1');
    const fields = builder.readsFields ? parseFields(value.toString()) : null;
    const head = this.#headOf(line, arrival);
    if (head.timestamp < arrival - defaultRetentionMs) onOld(head.timestamp);
    shipper.write(builder.build(value, head, fields));
  }

  #headOf(line: string, arrival: number): LineHead {
    const head = headOf(line, arrival);
    return this.#options.arrivalTime ? { ...head, timestamp: arrival } : head;
  }
}
