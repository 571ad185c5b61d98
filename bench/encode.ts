/**
 * Cost of encoding record batches, and of the alternatives that the encoder was chosen from.
 * Run: `npx tsx bench/encode.ts`. Rounds are interleaved, and medians compared: one figure alone means little.
 */
import { BufferPool } from '../src/produce/buffer-pool.ts';
import { type Codec, hasCodec } from '../src/produce/compression.ts';
import { crc32c } from '../src/produce/crc32c.ts';
import { RecordBatch } from '../src/produce/record-batch.ts';

const recordCount = 1_000;
const rounds = 15;
const lines = Array.from({ length: recordCount }, (_, index) => logLine(index));
const timestamp = Date.now();
const stamp = { producerId: 1n, epoch: 0, baseSequence: 0 };
const scratch = Buffer.allocUnsafeSlow(1 << 20);
const encoder = new TextEncoder();
const pool = new BufferPool();
const text = Buffer.from(lines.join('\n'));
const sliceTables = tablesOf8();

const perRecord: Record<string, () => unknown> = {
  'batch: append, seal, release': () => encode(pool),
  'batch: the same without a pool': () => encode(new BufferPool(0)),
  'batch: append and release': () => {
    const batch = fill(pool);
    batch.release();
  },
  'line: Buffer.write': () => eachLine((line, at) => scratch.write(line, at)),
  'line: byteLength, then write': () =>
    eachLine((line, at) => scratch.write(line, at, Buffer.byteLength(line))),
  'line: TextEncoder.encodeInto': () =>
    eachLine((line, at) => encoder.encodeInto(line, scratch.subarray(at)).written),
  'line: a loop of charCodeAt': () => eachLine(writeByLoop),
  'crc32c: slicing by 16 (ours)': () => crc32c(text),
  'crc32c: slicing by 8': () => crcBy8(text),
};

const medians = Object.entries(interleaved(perRecord)).map(([name, times]) => ({
  name,
  nanosecondsARecord: median(times) / recordCount,
}));
const ours = medians[0]?.nanosecondsARecord ?? 1;
console.log(`${recordCount} records of ${Math.round(text.length / recordCount)} bytes a batch`);
for (const { name, nanosecondsARecord } of medians) {
  const ratio = (nanosecondsARecord / ours).toFixed(2);
  console.log(
    `${name.padEnd(34)} ${nanosecondsARecord.toFixed(0).padStart(6)} ns a record  ${ratio}`,
  );
}
console.log(`${(1e6 / ours).toFixed(0)} thousand records a second`);
for (const codec of ['gzip', 'zstd'] as const) {
  if (hasCodec(codec)) await measureCompression(codec);
}

function encode(from: BufferPool): void {
  const batch = fill(from);
  batch.seal(stamp);
  batch.release();
}

function fill(from: BufferPool): RecordBatch {
  const batch = new RecordBatch(from);
  for (const value of lines) batch.append({ key: null, value, headers: [], timestamp });
  return batch;
}

function eachLine(write: (line: string, at: number) => number): number {
  let at = 0;
  for (const line of lines) at += write(line, at);
  return at;
}

function writeByLoop(line: string, at: number): number {
  for (let index = 0; index < line.length; index += 1) scratch[at + index] = line.charCodeAt(index);
  return line.length;
}

async function measureCompression(codec: Codec): Promise<void> {
  const start = process.hrtime.bigint();
  let sent = 0;
  let size = 0;
  for (let round = 0; round < 20; round += 1) {
    const batch = fill(pool);
    size = batch.bytes;
    await batch.compress(codec);
    sent = batch.seal(stamp).reduce((sum, part) => sum + part.length, 0);
    batch.release();
  }
  const milliseconds = Number(process.hrtime.bigint() - start) / 1e6 / 20;
  console.log(
    `${codec}: ${size} to ${sent} bytes, ${milliseconds.toFixed(1)} ms a batch, encoding included`,
  );
}

function interleaved(work: Record<string, () => unknown>): Record<string, number[]> {
  const times: Record<string, number[]> = {};
  for (let round = -3; round < rounds; round += 1) {
    for (const [name, run] of Object.entries(work)) {
      const start = process.hrtime.bigint();
      for (let repeat = 0; repeat < 20; repeat += 1) run();
      const taken = Number(process.hrtime.bigint() - start) / 20;
      if (round >= 0) times[name] = [...(times[name] ?? []), taken];
    }
  }
  return times;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function logLine(index: number): string {
  const line = JSON.stringify({
    level: 30,
    time: 1_750_000_000_000 + index,
    pid: 4711,
    hostname: 'node-17.cluster.example.org',
    reqId: `req-${index.toString(36)}`,
    req: { method: 'GET', url: `/api/v1/items/${index}?page=2`, remoteAddress: '192.0.2.17' },
    responseTime: 12.5 + (index % 97),
    msg: 'request completed',
  });
  return `${line.slice(0, -2)}${'.'.repeat(Math.max(0, 289 - line.length))}"}`;
}

function tablesOf8(): Int32Array {
  const built = new Int32Array(2_048);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    built[byte] = crc;
  }
  for (let index = 256; index < built.length; index += 1) {
    const previous = built[index - 256] ?? 0;
    built[index] = (previous >>> 8) ^ (built[previous & 255] ?? 0);
  }
  return built;
}

function crcBy8(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const table = sliceTables;
  let crc = -1;
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    const a = crc ^ view.getInt32(at, true);
    const b = view.getInt32(at + 4, true);
    crc =
      (table[1792 | (a & 255)] ?? 0) ^
      (table[1536 | ((a >>> 8) & 255)] ?? 0) ^
      (table[1280 | ((a >>> 16) & 255)] ?? 0) ^
      (table[1024 | (a >>> 24)] ?? 0) ^
      (table[768 | (b & 255)] ?? 0) ^
      (table[512 | ((b >>> 8) & 255)] ?? 0) ^
      (table[256 | ((b >>> 16) & 255)] ?? 0) ^
      (table[b >>> 24] ?? 0);
  }
  for (; at < bytes.length; at += 1)
    crc = (table[(crc ^ view.getUint8(at)) & 255] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}
