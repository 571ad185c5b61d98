import { expect, it } from 'vitest';
import type { TopicRecord } from '../../../stack/read-topic.ts';
import { readBack } from './read-back.ts';

interface Stored {
  /** The app's own number. */
  readonly n: number;
  /** The package's mark. */
  readonly sequence: number;
  /** Default: one and the same. */
  readonly app?: number;
}

function storedRecord({ n, sequence, app = 1 }: Stored, offset: number): TopicRecord {
  return {
    partition: 0,
    offset: BigInt(offset),
    timestamp: 1_000,
    key: null,
    headers: [
      ['source-id', Buffer.from(`source-${app}`)],
      ['source-seq', Buffer.from(String(sequence))],
    ],
    value: Buffer.from(JSON.stringify({ front: 'winston', app, n, at: 1_000 })),
  };
}

async function told(stored: readonly Stored[], written: number) {
  async function* readTopic(): AsyncGenerator<TopicRecord, void, undefined> {
    yield* stored.map(storedRecord);
  }
  const { winston } = await readBack({ readTopic }, 'logs', { pino: 0, winston: written });
  const { missing, lost, repeated, reordered } = winston;
  return { missing, lost, repeated, reordered };
}

const inOrder = (numbers: readonly number[], app?: number): Stored[] =>
  numbers.map((n, sequence) => ({ n, sequence, ...(app !== undefined && { app }) }));

it('finds nothing wrong with two apps that have both counted from 0', async () => {
  const stored = [...inOrder([0, 1], 1), ...inOrder([0, 1, 2], 2)];
  expect(await told(stored, 5)).toEqual({ missing: [], lost: 0, repeated: 0, reordered: 0 });
});

it.each([
  ['a loss', [0, 1, 3], 4, { missing: [2], lost: 1, repeated: 0, reordered: 0 }],
  ['a loss at the end', [0, 1, 2], 4, { missing: [3], lost: 1, repeated: 0, reordered: 0 }],
  ['all lost', [], 2, { missing: [0, 1], lost: 2, repeated: 0, reordered: 0 }],
  ['one for another', [0, 1, 1, 3], 4, { missing: [2], lost: 1, repeated: 1, reordered: 0 }],
  ['a wrong order', [0, 2, 1, 3], 4, { missing: [], lost: 0, repeated: 0, reordered: 1 }],
])(
  'sees %s by the app’s own numbers, where the marks are in order',
  async (_, numbers, written, expected) => {
    expect(await told(inOrder(numbers), written)).toEqual(expected);
  },
);

it('sees a repetition by the marks', async () => {
  const stored = [...inOrder([0, 1]), { n: 2, sequence: 1 }];
  expect(await told(stored, 3)).toMatchObject({ missing: [], lost: 1, repeated: 1 });
});
