/** Calls of the stack's topic service as its clients make them, and sign-ins with the keys that it issues. */
import { readFileSync } from 'node:fs';
import { generateAuthTokenFromCredentialsProvider } from 'aws-msk-iam-sasl-signer-js';
import kafkajs, { type SASLOptions } from 'kafkajs';
import type { StackClient } from '../../stack/stack-client.ts';

const { Kafka, logLevel } = kafkajs;

/** What the service answered. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Somebody who has signed in at Globus. */
export interface Caller {
  readonly subject: string;
  readonly accessToken: string;
}

export type Call = (
  method: string,
  path: string,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

/** Asks with the caller's headers; those given win. */
export function callsOf(url: string, { subject, accessToken }: Caller): Call {
  return async (method, path, headers = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: { subject, authorization: `Bearer ${accessToken}`, ...headers },
    });
    return { status: response.status, body: { ...Object(await response.json()) } };
  };
}

/** Fills in the claim page's form as a program does. */
export async function claim(
  url: string,
  { subject, accessToken }: Caller,
  topic: string,
): Promise<Answer> {
  const response = await fetch(`${url}/acl`, {
    method: 'POST',
    headers: { accept: 'application/json' },
    body: new URLSearchParams({
      subject_claim: subject,
      access_token: accessToken,
      topic_name: topic,
    }),
  });
  return { status: response.status, body: { ...Object(await response.json()) } };
}

/** A sign-in token as AWS's own signer makes it. */
export async function awsToken(
  accessKeyId: unknown,
  secretAccessKey: unknown,
  region = 'us-east-1',
): Promise<string> {
  const { token } = await generateAuthTokenFromCredentialsProvider({
    region,
    awsCredentialsProvider: async () => ({
      accessKeyId: String(accessKeyId),
      secretAccessKey: String(secretAccessKey),
    }),
  });
  return token;
}

export const byToken = (value: string): SASLOptions => ({
  mechanism: 'oauthbearer',
  oauthBearerProvider: async () => ({ value }),
});

export const byPassword = (username: unknown, password: unknown): SASLOptions => ({
  mechanism: 'scram-sha-512',
  username: String(username),
  password: String(password),
});

/** Writes a record, and answers what a reader with the same sign-in finds in the topic. */
export async function writeAndRead(
  stack: StackClient,
  sasl: SASLOptions,
  topic: string,
): Promise<string[]> {
  const kafka = new Kafka({
    brokers: stack.bootstrap(sasl.mechanism === 'oauthbearer' ? 'OAUTH' : 'SCRAM').split(','),
    ssl: { ca: readFileSync(stack.caFile) },
    sasl,
    logLevel: logLevel.NOTHING,
    retry: { retries: 2, initialRetryTime: 50 },
  });
  const producer = kafka.producer();
  await producer.connect();
  try {
    await producer.send({ topic, messages: [{ value: 'a record' }] });
  } finally {
    await producer.disconnect();
  }
  const found: string[] = [];
  const consumer = kafka.consumer({
    groupId: `group-of-${topic}-${Date.now()}`,
    // The first group of a cluster waits for Kafka to make its own topic.
    retry: { retries: 30, initialRetryTime: 100, maxRetryTime: 500 },
  });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      // What passes, kafkajs tries again.
      consumer.on('consumer.crash', ({ payload: { error, restart } }) => {
        if (!restart) reject(error);
      });
      consumer
        .run({
          eachMessage: async ({ message }) => {
            found.push(String(message.value));
            resolve();
          },
        })
        .catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return found;
}
