/** Replies with bytes changed, cut, repeated and put in, and bytes that are no replies at all: every decoder answers or refuses, soon. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Api } from '../../../src/wire/api.ts';
import { FrameLengthError, FrameReader } from '../../../src/wire/frame-reader.ts';
import { MalformedReplyError } from '../../../src/wire/reader.ts';
import { decodeReply } from '../../../src/wire/request-frame.ts';
import { apiVersions } from '../../../src/wire/requests/api-versions.ts';
import { describeProducers } from '../../../src/wire/requests/describe-producers.ts';
import { initProducerId } from '../../../src/wire/requests/init-producer-id.ts';
import { metadata } from '../../../src/wire/requests/metadata.ts';
import { produce } from '../../../src/wire/requests/produce.ts';
import { saslAuthenticate } from '../../../src/wire/requests/sasl-authenticate.ts';
import { saslHandshake } from '../../../src/wire/requests/sasl-handshake.ts';
import { golden } from './golden-bytes.ts';

/** One piece of a reply is taken out, and other bytes are in its place. */
const damage = fc.record({
  at: fc.nat(400),
  removed: fc.nat(8),
  added: fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.constantFrom(
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f),
      Uint8Array.of(0x7f, 0xff, 0xff, 0xff),
      Uint8Array.of(0x80, 0, 0, 0),
    ),
  ),
});

function damaged(
  frame: Buffer,
  pieces: readonly { at: number; removed: number; added: Uint8Array }[],
): Buffer {
  return pieces.reduce((bytes, { at, removed, added }) => {
    const from = at % (bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, from), added, bytes.subarray(from + removed)]);
  }, frame);
}

function expectAnswerOrRefusal(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedReplyError);
  }
}

function verify<Body, Reply>(api: Api<Body, Reply>): void {
  for (let version = api.minVersion; version <= api.maxVersion; version += 1) {
    const frame = Buffer.from(golden[`${api.name} ${version} reply`] ?? '', 'hex');
    it(`a damaged reply to ${api.name} ${version} is read or refused`, () => {
      fc.assert(
        fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (pieces) => {
          expectAnswerOrRefusal(() => decodeReply(api, version, damaged(frame, pieces)));
        }),
        { numRuns: 400 },
      );
    });

    it(`any bytes are read as a reply to ${api.name} ${version} or refused`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
          expectAnswerOrRefusal(() => decodeReply(api, version, Buffer.from(bytes)));
        }),
        { numRuns: 200 },
      );
    });
  }
}

describe('decoders', () => {
  verify(apiVersions);
  verify(saslHandshake);
  verify(saslAuthenticate);
  verify(metadata);
  verify(initProducerId);
  verify(produce);
  verify(describeProducers);

  it('take no producer id and no epoch below zero', () => {
    const frame = (id: bigint, epoch: number): Buffer => {
      const bytes = Buffer.from(golden['InitProducerId 1 reply'] ?? '', 'hex');
      bytes.writeInt16BE(0, 8);
      bytes.writeBigInt64BE(id, 10);
      bytes.writeInt16BE(epoch, 18);
      return bytes;
    };
    expect(decodeReply(initProducerId, 1, frame(5n, 0))).toMatchObject({ producerId: 5n });
    expect(() => decodeReply(initProducerId, 1, frame(-5n, 0))).toThrow(MalformedReplyError);
    expect(() => decodeReply(initProducerId, 1, frame(5n, -1))).toThrow(MalformedReplyError);
  });
});

it('a stream of any bytes is cut into frames or refused', () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 });
  fc.assert(
    fc.property(chunks, (pieces) => {
      const reader = new FrameReader(1_000);
      try {
        for (const piece of pieces) {
          for (const frame of reader.push(Buffer.from(piece))) {
            expect(frame.length).toBeGreaterThanOrEqual(4);
          }
        }
      } catch (error) {
        expect(error).toBeInstanceOf(FrameLengthError);
      }
    }),
    { numRuns: 2_000 },
  );
});
