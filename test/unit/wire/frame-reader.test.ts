import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameLengthError, FrameReader } from '../../../src/wire/frame-reader.ts';

function framed(...bodies: readonly Buffer[]): Buffer {
  return Buffer.concat(
    bodies.flatMap((body) => {
      const length = Buffer.alloc(4);
      length.writeInt32BE(body.length);
      return [length, body];
    }),
  );
}

const bodies = [Buffer.from('first reply'), Buffer.from('2nd!'), Buffer.alloc(70, 7)];

describe('FrameReader', () => {
  it('finds the same frames however the bytes are split', () => {
    const stream = framed(...bodies);
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 30 }), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
        const reader = new FrameReader(1000);
        const frames = at.flatMap((start, index) =>
          reader.push(stream.subarray(start, at[index + 1])),
        );
        expect(frames).toEqual(bodies);
      }),
    );
  });

  it('finds them byte by byte', () => {
    const reader = new FrameReader(1000);
    const frames = [...framed(...bodies)].flatMap((byte) => reader.push(Buffer.from([byte])));
    expect(frames).toEqual(bodies);
  });

  it('joins a large frame of many chunks once', () => {
    const body = Buffer.alloc(32 * 2 ** 20, 1);
    const stream = framed(body);
    const reader = new FrameReader(body.length);
    const frames: Buffer[] = [];
    const started = performance.now();
    for (let at = 0; at < stream.length; at += 1024) {
      frames.push(...reader.push(stream.subarray(at, at + 1024)));
    }
    expect(frames[0]?.length).toBe(body.length);
    // Quadratic copying would move 500 GB.
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it.each([
    ['longer than the limit', '00000065'],
    ['negative', 'ffffffff'],
    ['too short for a correlation id', '00000003'],
  ])('refuses a length that is %s', (_name, hex) => {
    expect(() => new FrameReader(100).push(Buffer.from(hex, 'hex'))).toThrow(FrameLengthError);
  });
});
