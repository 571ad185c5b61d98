/** Arithmetic of producer stamps, and what a leader's answer says about one whose fate is in doubt. */
import type { LastStamp, Stamp } from './driver.ts';

/** Sequences go from 0 to 2³¹ − 1 and then begin at 0 again (KIP-98). */
const sequences = 2 ** 31;

/** The highest epoch; after it a new producer id is needed (KIP-360). */
export const maxEpoch = 32_767;

/** The sequence that lies `count` records after `sequence`. */
export function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % sequences;
}

/**
 * What to do with a batch whose stamp the broker called out of order, or whose answer never came:
 * - `stored`: the leader's log ends with it, though perhaps not replicated: the same stamp, sent again, settles it;
 * - `send-again`: it is the leader's next one;
 * - `forgotten`: the leader knows nothing of a producer id whose batches it had acknowledged: the same stamp again, perhaps a repeat;
 * - `fenced`: another process goes on under a newer epoch;
 * - `restamp`: certainly not stored, and this stamp can never be: the next epoch;
 * - `restamp-doubtful`: the same, but it may have been stored.
 */
export type Verdict =
  | 'stored'
  | 'send-again'
  | 'forgotten'
  | 'fenced'
  | 'restamp'
  | 'restamp-doubtful';

/** Judges a stamp of `count` records by what DescribeProducers told; `undefined` where it may not be asked. */
export function judge(
  stamp: Stamp,
  count: number,
  known: LastStamp | null | undefined,
  acknowledgedBefore: boolean,
): Verdict {
  if (known === undefined) return 'restamp-doubtful';
  if (known === null) return acknowledgedBefore ? 'forgotten' : 'send-again';
  if (known.epoch > stamp.epoch) return 'fenced';
  if (known.epoch < stamp.epoch) return stamp.baseSequence === 0 ? 'send-again' : 'restamp';
  const ahead = (known.lastSequence - stamp.baseSequence + sequences) % sequences;
  if (ahead === count - 1) return 'stored';
  if (ahead === sequences - 1) return 'send-again';
  // Half the ring apart tells before from after: a leader behind base − 1 has lost its log's end.
  return ahead >= sequences / 2 ? 'restamp' : 'restamp-doubtful';
}
