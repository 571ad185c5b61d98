import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Copy } from '../../../../src/cli/ship/copy.ts';

interface Copying {
  readonly written: readonly string[];
  copy(maxHeldBytes: number): Copy;
}

function copying(): Copying {
  const written: string[] = [];
  const tee = { write: async (chunk: Buffer) => void written.push(chunk.toString('latin1')) };
  const { signal: hurry } = new AbortController();
  return { written, copy: (maxHeldBytes) => new Copy({ tee, hurry, maxHeldBytes }) };
}

it('keeps the lines of inputs that come side by side whole, with all of their bytes', async () => {
  const line = (input: number): fc.Arbitrary<string> =>
    fc.stringMatching(/^[ \r\u00ff]{0,20}$/).map((text) => `${input}${text}`);
  const inputs = fc.tuple(fc.array(line(0)), fc.array(line(1)));
  const cuts = fc.array(fc.tuple(fc.nat(1), fc.integer({ min: 1, max: 50 })));
  await fc.assert(
    fc.asyncProperty(inputs, fc.boolean(), cuts, async (given, isEnded, chunks) => {
      const { written, copy } = copying();
      const copies = given.map((lines) => {
        const text = lines.join('\n') + (isEnded && lines.length > 0 ? '\n' : '');
        return { to: copy(1_000_000), bytes: Buffer.from(text, 'latin1') };
      });
      const push = async (input: number, size: number): Promise<void> => {
        const one = copies[input];
        if (!one) return;
        await one.to.push(one.bytes.subarray(0, size));
        one.bytes = one.bytes.subarray(size);
      };
      for (const [input, size] of chunks) await push(input, size);
      for (const input of [1, 0]) await push(input, Number.POSITIVE_INFINITY);
      for (const { to } of copies) await to.end();
      const lines = written.join('').split('\n').slice(0, -1);
      const byInput = [0, 1].map((input) => lines.filter((text) => text[0] === String(input)));
      expect(byInput).toEqual(given);
      expect(lines).toHaveLength(given.flat().length);
    }),
  );
});

it('passes on at once, and unchanged, what is to wait for nothing', async () => {
  const { written, copy } = copying();
  const one = copy(0);
  for (const chunk of ['a\nbeg', 'un', '\n', 'no newline']) await one.push(Buffer.from(chunk));
  await one.end();
  expect(written).toEqual(['a\nbeg', 'un', '\n', 'no newline']);
});

it('holds no more of a line than it may', async () => {
  const { written, copy } = copying();
  const one = copy(4);
  for (const chunk of ['a\nbc', 'de', 'f', 'g\n', 'hijkl\nm', 'n'])
    await one.push(Buffer.from(chunk));
  expect(written).toEqual(['a\n', 'bcdef', 'g\n', 'hijkl\n']);
  await one.end();
  expect(written.at(-1)).toBe('mn\n');
});
