import fc from 'fast-check';
import { expect, it } from 'vitest';
import { frames } from '../../../stack/read-topic.ts';

function framed(bodies: readonly Uint8Array[]): Buffer {
  const parts = bodies.flatMap((body) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length);
    return [length, body];
  });
  return Buffer.concat(parts);
}

async function* inPieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function all(stream: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for await (const frame of stream) found.push(frame);
  return found;
}

it('cuts frames out of a stream, wherever its chunks end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      async (bodies, sizes) => {
        const found = await all(frames(inPieces(framed(bodies), sizes)));
        expect(found.map((frame) => [...frame])).toEqual(bodies.map((body) => [...body]));
      },
    ),
  );
});

it('does not take a stream that ends within a frame for a whole one', async () => {
  const cut = framed([Buffer.from('whole'), Buffer.from('cut')]).subarray(0, -1);
  await expect(all(frames(inPieces(cut, [64])))).rejects.toThrow('within a frame');
});
