// Only compiled, never run: what a user's editor sees.
import { type DiasporaConsumer, DiasporaLogger, type RecordMetadata } from 'diaspora-logger';
import { runProducerExample } from 'diaspora-logger/examples';
import diaspora, { type TransportOptions } from 'diaspora-logger/pino';
import { DiasporaTransport } from 'diaspora-logger/winston';
import pino from 'pino';
import winston from 'winston';

const options: TransportOptions = { topic: 'app-logs', auth: { type: 'none' }, tls: false };

pino(pino.transport<TransportOptions>({ target: 'diaspora-logger/pino', options }));
pino(diaspora(options));
// @ts-expect-error: an option that does not exist
pino.transport<TransportOptions>({ target: 'diaspora-logger/pino', options: { topik: 'x' } });
// @ts-expect-error: an option of another type
diaspora({ lingerMs: '50' });

winston.createLogger({ transports: [new DiasporaTransport({ ...options, level: 'warn' })] });

const producer = new DiasporaLogger({ bootstrapBrokers: 'localhost:9092' });
const metadata: RecordMetadata = await producer.send('app-logs', { celsius: 21.5 }, { key: 'x' });
const offset: bigint | null = metadata.offset;

type Consumer = InstanceType<typeof DiasporaConsumer>;
export async function values(consumer: Consumer): Promise<(Buffer | null)[]> {
  const read = [];
  for await (const { value } of consumer) read.push(value);
  return read;
}
const examples: Promise<RecordMetadata[]> = runProducerExample('app-logs');

export { examples, offset };
