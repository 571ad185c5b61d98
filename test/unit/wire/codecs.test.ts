/** Every request and reply, in every version, against bytes from Kafka's own classes. */
import { describe, expect, it } from 'vitest';
import type { Api } from '../../../src/wire/api.ts';
import { MalformedReplyError } from '../../../src/wire/reader.ts';
import { decodeReply, encodeRequest } from '../../../src/wire/request-frame.ts';
import { apiVersions } from '../../../src/wire/requests/api-versions.ts';
import { describeProducers } from '../../../src/wire/requests/describe-producers.ts';
import { initProducerId } from '../../../src/wire/requests/init-producer-id.ts';
import { metadata } from '../../../src/wire/requests/metadata.ts';
import { produce } from '../../../src/wire/requests/produce.ts';
import { saslAuthenticate } from '../../../src/wire/requests/sasl-authenticate.ts';
import { saslHandshake } from '../../../src/wire/requests/sasl-handshake.ts';
import { golden } from './golden-bytes.ts';

const topic = 'lögs';
const topicId = 'AAECAwQFBgcICQoLDA0ODw';
const records = Buffer.from([1, 2, 3, 4, 5]);

interface Case<Body, Reply> {
  readonly api: Api<Body, Reply>;
  readonly as: string;
  readonly body: Body;
  reply(version: number): Reply;
}

function verify<Body, Reply>({ api, as, body, reply }: Case<Body, Reply>): void {
  for (let version = api.minVersion; version <= api.maxVersion; version += 1) {
    it(`${api.name} ${version} is written as Kafka writes it`, () => {
      const { chunks, bytes } = encodeRequest(api, body, { version, id: 7, clientId: 'clé' });
      const written = Buffer.concat(chunks);
      expect(written.length).toBe(bytes);
      expect(written.readInt32BE()).toBe(bytes - 4);
      expect(written.subarray(4).toString('hex')).toBe(golden[`${as} ${version} request`]);
    });

    it(`the reply to ${api.name} ${version} is read as Kafka writes it`, () => {
      const frame = Buffer.from(golden[`${as} ${version} reply`] ?? '', 'hex');
      expect(decodeReply(api, version, frame)).toEqual(reply(version));
    });

    it(`the reply to ${api.name} ${version} is refused when cut anywhere, or when bytes are left`, () => {
      const frame = Buffer.from(golden[`${as} ${version} reply`] ?? '', 'hex');
      for (let end = 4; end < frame.length; end += 1) {
        expect(() => decodeReply(api, version, frame.subarray(0, end))).toThrow(
          MalformedReplyError,
        );
      }
      const longer = Buffer.concat([frame, Buffer.from([0])]);
      expect(() => decodeReply(api, version, longer)).toThrow('1 bytes over');
    });
  }
}

describe('codecs', () => {
  verify({
    api: apiVersions,
    as: 'ApiVersions',
    body: { softwareName: 'diaspora-logger', softwareVersion: '0.1.0' },
    reply: (version) => ({
      errorCode: 0,
      ranges: new Map([
        [0, { min: 3, max: 13 }],
        [36, { min: 0, max: 2 }],
      ]),
      throttleMs: version >= 1 ? 9 : 0,
    }),
  });
  verify({
    api: saslHandshake,
    as: 'SaslHandshake',
    body: { mechanism: 'OAUTHBEARER' },
    reply: () => ({ errorCode: 33, mechanisms: ['PLAIN', 'SCRAM-SHA-512'] }),
  });
  verify({
    api: saslAuthenticate,
    as: 'SaslAuthenticate',
    body: { authBytes: Buffer.from('n,,') },
    reply: (version) => ({
      errorCode: 58,
      errorMessage: 'no',
      authBytes: Buffer.from('v=x'),
      sessionLifetimeMs: version >= 1 ? 3_600_000n : 0n,
    }),
  });
  verify({
    api: metadata,
    as: 'Metadata',
    body: { topics: [topic] },
    reply: (version) => ({
      throttleMs: 3,
      clusterId: 'c-1',
      brokers: [
        { id: 1, host: 'b1.example', port: 9092 },
        { id: 2, host: 'b2.example', port: 9093 },
      ],
      topics: [
        {
          errorCode: 0,
          name: topic,
          topicId: version >= 10 ? topicId : null,
          partitions: [
            { id: 1, leader: 2, replicas: [1, 2], inSync: [2] },
            { id: 0, leader: null, replicas: [1], inSync: [] },
          ],
        },
        { errorCode: 3, name: 'none', topicId: null, partitions: [] },
      ],
    }),
  });
  verify({
    api: initProducerId,
    as: 'InitProducerId',
    body: {},
    reply: () => ({ throttleMs: 2, errorCode: 0, producerId: 0x1234567890n, epoch: 3 }),
  });
  verify({
    api: produce,
    as: 'Produce',
    body: {
      acks: -1,
      timeoutMs: 25_000,
      topic,
      topicId,
      partitions: [
        { partition: 0, records },
        { partition: 6, records: [records.subarray(0, 2), records.subarray(2)] },
      ],
    },
    reply: (version) => ({
      throttleMs: 11,
      partitions: [
        {
          partition: 0,
          errorCode: 0,
          errorMessage: null,
          baseOffset: 1n << 40n,
          logAppendTime: 1_700_000_000_000n,
          recordErrors: [],
        },
        {
          partition: 6,
          errorCode: 87,
          errorMessage: version >= 8 ? 'bad' : null,
          baseOffset: -1n,
          logAppendTime: -1n,
          recordErrors: version >= 8 ? [{ index: 2, message: 'null key' }] : [],
        },
      ],
    }),
  });
  verify({
    api: describeProducers,
    as: 'DescribeProducers',
    body: { topic, partitions: [0, 6] },
    reply: () => ({
      throttleMs: 0,
      partitions: [
        {
          partition: 0,
          errorCode: 0,
          errorMessage: null,
          producers: [
            { producerId: 77n, epoch: 1, lastSequence: 41, lastTimestamp: 1_700_000_000_000n },
          ],
        },
        { partition: 6, errorCode: 29, errorMessage: 'denied', producers: [] },
      ],
    }),
  });

  it('asks for a topic by its name where its id is not known', () => {
    const body = { acks: 1, timeoutMs: 1, topic, topicId: null, partitions: [] };
    expect(produce.highestVersionFor?.(body)).toBe(12);
    expect(produce.highestVersionFor?.({ ...body, topicId })).toBe(13);
  });

  it('passes records on without copying them', () => {
    const body = {
      acks: -1,
      timeoutMs: 1,
      topic,
      topicId: null,
      partitions: [{ partition: 0, records }],
    };
    const { chunks } = encodeRequest(produce, body, { version: 9, id: 1, clientId: 'c' });
    expect(chunks.some((chunk) => chunk === records)).toBe(true);
  });

  it('says which broker does not know a version of ApiVersions without reading on', () => {
    const frame = Buffer.from(`00000001${'0023'}${'00000000'}`, 'hex');
    expect(decodeReply(apiVersions, 3, frame).errorCode).toBe(35);
  });

  it('reserves no memory for a false array length', () => {
    const frame = Buffer.from('00000001000000007fffffff', 'hex');
    expect(() => decodeReply(initProducerId, 1, frame)).toThrow('ends early');
    const many = Buffer.from(`00000001${'0021'}${'7fffffff'}`, 'hex');
    expect(() => decodeReply(saslHandshake, 1, many)).toThrow('longer than its reply');
  });
});
