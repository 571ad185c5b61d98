/** For tests of reading: where the lines go that are read. */
import { LineShipper } from '../../../../src/cli/ship/line-shipper.ts';
import type { ReaderOptions } from '../../../../src/cli/ship/reader.ts';
import { Room } from '../../../../src/cli/ship/room.ts';
import { RecordBuilder } from '../../../../src/transports/record-builder.ts';

/** A buffer that always has room. */
const endless = { bufferedBytes: 0, onSettled: () => () => true, tooLarge() {} };

export interface CollectedLines extends Pick<ReaderOptions, 'linesOf' | 'take'> {
  readonly lines: readonly string[];
}

export function collectLines(): CollectedLines {
  const lines: string[] = [];
  const routing = { topic: 't', key: null, keyField: null, headers: [], headerFields: [] };
  const builder = new RecordBuilder({ ...routing, partition: null, transform: null });
  const maxBytes = 2 ** 20;
  const shipper = {
    ...endless,
    write: ({ value }: { value: string | Buffer | null }) => void lines.push(String(value)),
  };
  return {
    lines,
    linesOf: (stop, canBeReadAgain) => {
      const patience = { patienceMs: Number.POSITIVE_INFINITY, onImpatient: () => {} };
      const room = new Room({ shipper, maxBytes, stop, expired: stop, ...patience });
      const unheard = { onOld: () => {}, onEnd: () => {} };
      const arrivalTime = false;
      const how = { arrivalTime, canBeReadAgain, maxBytes };
      return new LineShipper({ shipper, builder, room, copy: null, ...how, ...unheard });
    },
    take: (chunk, to) => to.push(chunk),
  };
}

/** What lines wait for while there is no room. */
export function newRoom(): { readonly isFree: Promise<void>; free(): void } {
  let free = (): void => {};
  const isFree = new Promise<void>((resolve) => {
    free = resolve;
  });
  return { isFree, free: () => free() };
}
