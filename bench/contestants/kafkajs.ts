/**
 * kafkajs's own `producer.send`, used as well as it can be: messages made beforehand with their
 * partitions, one partition a call, one call in flight a partition, so that all lanes are busy and
 * nothing is lost or repeated.
 */
import { readFileSync } from 'node:fs';
import kafkajs from 'kafkajs';
import { contestant, startClocks } from '../contestant.ts';
import { packageOptions, type Task } from '../task.ts';
import { batchRecords, lines, partitions } from '../workload.ts';

await contestant(async (task) => {
  const batches = slices(lines(task.records), batchRecords).map((values, index) => {
    const partition = index % partitions;
    return { partition, messages: values.map((value) => ({ value, partition })) };
  });
  const { createTokenSource, resolveTransport } = await load(task);
  const { auth } = resolveTransport(packageOptions(task));
  if (auth.type !== 'globus') throw new Error('Signed in otherwise than the package.');
  const begun = performance.now();
  const tokens = createTokenSource({ auth });
  const kafka = new kafkajs.Kafka({
    clientId: 'kafkajs',
    brokers: task.bootstrapBrokers.split(','),
    ssl: { ca: readFileSync(task.caFile) },
    sasl: {
      mechanism: 'oauthbearer',
      oauthBearerProvider: async () => ({ value: (await tokens.token()).value }),
    },
    logLevel: kafkajs.logLevel.ERROR,
  });
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  const send = async (messages: { value: string; partition: number }[]): Promise<number> => {
    await producer.send({
      topic: task.topic,
      acks: -1,
      compression:
        task.compression === 'gzip' ? kafkajs.CompressionTypes.GZIP : kafkajs.CompressionTypes.None,
      messages,
    });
    return messages.length;
  };
  // Finds the leader and gets the producer id, as the package's first record does.
  await send([{ value: 'the first record', partition: 0 }]);
  const connectMilliseconds = performance.now() - begun;

  const read = startClocks();
  let delivered = 0;
  const lanes = Array.from({ length: partitions }, async (_, lane) => {
    for (const { partition, messages } of batches) {
      if (partition === lane) {
        const acknowledged = await send(messages);
        delivered += acknowledged;
      }
    }
  });
  await Promise.all(lanes);
  const measured = read();
  await producer.disconnect();
  await tokens.close();
  return { ...measured, connectMilliseconds, delivered };
});

function slices<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** The package's own token source, so that both ask for their token in the same way. */
async function load({ packageUrl }: Task) {
  const tokens: typeof import('../../src/auth/token-source.ts') = await import(
    new URL('auth/token-source.js', packageUrl).href
  );
  const options: typeof import('../../src/options.ts') = await import(
    new URL('options.js', packageUrl).href
  );
  return { ...tokens, ...options };
}
