import type { ConsumedRecord, RecordMetadata } from 'diaspora-logger';

/** Sends 103 records to the topic, signed in by the environment, and answers where they are. */
export function runProducerExample(topic: string): Promise<RecordMetadata[]>;

/** Reads the topic from its beginning until nothing came for ten seconds, and answers what it read. */
export function runConsumerExample(topic: string, groupId: string): Promise<ConsumedRecord[]>;
