/** Brokers whose replies can be read and cannot be true, or should not be obeyed. */
import { expect, it } from 'vitest';
import { initProducerId } from '../../../src/wire/requests/init-producer-id.ts';
import { broker, clusterOf, failure } from './cluster-fixture.ts';
import { apiVersionsReply, body, keys, metadataReply, producerIdReply } from './scripted-broker.ts';

const ask = { timeoutMs: 3_000 };

it('a broker that seems to know no Produce is asked for its versions again, on another connection', async () => {
  const nothing = body((writer) => {
    writer.int16(0);
    writer.array([], () => {});
    writer.int32(0);
    writer.tags();
  }, true);
  const server = await broker(() => producerIdReply(1n), {
    versions: (request) => (request.connection === 0 ? nothing : apiVersionsReply(request)),
  });
  const { cluster } = clusterOf({ bootstrapBrokers: [server] });
  expect(await failure(cluster.request(null, initProducerId, {}, ask))).toMatchObject({
    code: 'BROKER_TOO_OLD',
    sent: false,
  });
  expect((await cluster.request(null, initProducerId, {}, ask)).producerId).toBe(1n);
});

it('a broker that wants silence for weeks gets a minute', async () => {
  const server = await broker(() => producerIdReply(1n, 2 ** 31 - 1));
  const { cluster, said } = clusterOf({ bootstrapBrokers: [server] });
  await cluster.request(null, initProducerId, {}, ask);
  expect((await said('BROKER_THROTTLED')).detail).toMatchObject({ milliseconds: 60_000 });
});

it.each([0, -1, 65_536, 33_599_319])(
  'a broker at port %i is one that cannot be reached',
  async (port) => {
    const server = await broker(() =>
      metadataReply([{ host: '127.0.0.1', port }], [{ name: 'logs', leaders: [1] }]),
    );
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    await cluster.metadata('logs');
    expect(await failure(cluster.request(1, initProducerId, {}, ask))).toMatchObject({
      code: 'BROKER_UNREACHABLE',
      sent: false,
    });
  },
);

it('metadata that leaves a partition out is asked for again', async () => {
  const replies = [
    metadataReply([], [{ name: 'logs', leaders: [1, 1, 1] }]),
    metadataReply([], [{ name: 'logs', leaders: [1, 1, 1] }]),
  ];
  // The id of partition 2, the first in the reply, after the error code of the partition.
  const [damaged] = replies;
  const at = (damaged?.indexOf(Buffer.from([0, 0, 0, 3, 0, 0, 0, 0, 0, 2])) ?? 0) + 9;
  damaged?.writeUInt8(7, at);
  const server = await broker(({ key }) =>
    key === keys.metadata ? (replies.shift() ?? null) : null,
  );
  const { cluster } = clusterOf({ bootstrapBrokers: [server] });
  expect(await failure(cluster.metadata('logs'))).toMatchObject({
    code: 'LEADER_NOT_AVAILABLE',
    retriable: true,
  });
  expect((await cluster.metadata('logs')).partitions.map(({ id }) => id)).toEqual([0, 1, 2]);
});
