/** The batches of a topic as they lie on the broker's disk, told by Kafka's own DumpLogSegments. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runKafkaTool } from '../../stack/java-tools.ts';
import { sharedStack } from '../shared-stack.ts';

/** One batch. */
export interface StoredBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly count: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly compression: string;
  /** Whether Kafka's own check of the batch's bytes agrees with its checksum. */
  readonly valid: boolean;
  /** How many records Kafka's own reader found in it. */
  readonly read: number;
}

/** In the order of their offsets. Each record in them is decompressed and read, too. */
export async function storedBatches(topic: string, partition = 0): Promise<StoredBatch[]> {
  const data = join(sharedStack().directory, 'kafka', 'broker-1', 'data', `${topic}-${partition}`);
  const segments = (await readdir(data)).filter((name) => name.endsWith('.log')).sort();
  const { stdout } = await runKafkaTool('org.apache.kafka.tools.DumpLogSegments', [
    '--deep-iteration',
    '--files',
    segments.map((name) => join(data, name)).join(','),
  ]);
  const batches: StoredBatch[] = [];
  for (const line of stdout.split('\n')) {
    const last = batches.at(-1);
    if (line.startsWith('baseOffset: ')) batches.push(batchOf(line));
    else if (line.startsWith('| offset: ') && last) batches.splice(-1, 1, oneMoreRead(last));
  }
  return batches;
}

function batchOf(line: string): StoredBatch {
  const fields = new Map(
    Array.from(line.matchAll(/(\w+): (\S+)/g), ([, name = '', value = '']) => [name, value]),
  );
  const number = (name: string): number => Number(fields.get(name));
  return {
    baseOffset: number('baseOffset'),
    lastOffset: number('lastOffset'),
    count: number('count'),
    baseSequence: number('baseSequence'),
    lastSequence: number('lastSequence'),
    producerId: number('producerId'),
    producerEpoch: number('producerEpoch'),
    compression: fields.get('compresscodec') ?? '',
    valid: fields.get('isvalid') === 'true',
    read: 0,
  };
}

const oneMoreRead = (batch: StoredBatch): StoredBatch => ({ ...batch, read: batch.read + 1 });
