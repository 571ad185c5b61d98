import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { Diagnostics } from '../../../src/diagnostics.ts';
import { resolveTransport, type TransportOptions } from '../../../src/options.ts';
import { DiasporaPinoStream } from '../../../src/transports/pino-stream.ts';
import { RecordBuilder } from '../../../src/transports/record-builder.ts';
import { CollectingShipper } from './collecting-shipper.ts';

function open(
  options: TransportOptions = {},
  transform: ((record: Record<string, unknown>) => unknown) | null = null,
  diagnostics = new Diagnostics(),
) {
  const resolved = resolveTransport({
    bootstrapBrokers: 'localhost:9092',
    topic: 'logs',
    ...options,
  });
  const shipper = new CollectingShipper();
  const stream = new DiasporaPinoStream({
    shipper,
    diagnostics,
    builder: new RecordBuilder(resolved),
    transform,
    bufferMaxBytes: resolved.bufferMaxBytes,
  });
  return { shipper, stream };
}

async function end(stream: DiasporaPinoStream): Promise<void> {
  stream.end();
  await once(stream, 'close');
}

const text = '{"level":30,"time":1700000000000,"msg":"ä€😀"}\n{"level":50,"time":1700000000001}\n';
const lines = text.trimEnd().split('\n');

describe('The Pino stream', () => {
  it('ships the lines of a logger in process, each exactly as written, with its level and time', async () => {
    const { shipper, stream } = open();
    const logger = pino({ base: null }, stream);
    logger.info('one');
    logger.error({ a: 'ä' }, 'two');
    await end(stream);
    expect(shipper.values.map((value) => JSON.parse(value).msg)).toEqual(['one', 'two']);
    expect(shipper.records.map(({ level }) => level)).toEqual([30, 50]);
    for (const { value, timestamp } of shipper.records) {
      expect(value).not.toContain('\n');
      expect(timestamp).toBe(JSON.parse(String(value)).time);
    }
  });

  it('ships the same lines from bytes, wherever they are cut', async () => {
    const bytes = Buffer.from(text);
    for (let at = 0; at <= bytes.length; at += 1) {
      const { shipper, stream } = open();
      stream.write(bytes.subarray(0, at));
      stream.write(bytes.subarray(at));
      await end(stream);
      expect(shipper.values).toEqual(lines);
    }
  });

  it('ships the same lines from bytes through a transform, wherever they are cut', async () => {
    const bytes = Buffer.from(text);
    for (let at = 0; at <= bytes.length; at += 1) {
      const { shipper, stream } = open({}, (record) => record);
      stream.write(bytes.subarray(0, at));
      stream.write(bytes.subarray(at));
      await end(stream);
      expect(shipper.values).toEqual(lines);
    }
  });

  it.each([
    ['as it is', null],
    ['through a transform', (record: object) => record],
  ])('ships a last line without its newline at the end, %s', async (_how, transform) => {
    const { shipper, stream } = open({}, transform);
    stream.write('{"level":30,"msg":"cut"}');
    await end(stream);
    expect(shipper.values).toEqual(['{"level":30,"msg":"cut"}']);
    expect(shipper.closed).toBe(true);
  });

  it.each([
    ['as it is', null],
    ['through a transform', (record: object) => record],
  ])(
    'ships the same lines, by LF and by CRLF, wherever strings are cut, %s',
    async (_how, transform) => {
      for (const newline of ['\n', '\r\n']) {
        const written = lines.map((line) => `${line}${newline}`).join('') + newline;
        for (let at = 0; at <= written.length; at += 1) {
          const { shipper, stream } = open({}, transform);
          stream.write(written.slice(0, at));
          stream.write(written.slice(at));
          await end(stream);
          expect(shipper.values).toEqual(lines);
        }
      }
    },
  );

  it.each([
    ['as it is', null],
    ['through a transform', (record: object) => record],
  ])(
    'drops a line that the buffer cannot hold, and goes on with the next, %s',
    async (_how, transform) => {
      const { shipper, stream } = open({ bufferMaxBytes: 65_536, batchMaxBytes: 1_024 }, transform);
      stream.write('{"level":50,"msg":"');
      for (let i = 0; i < 100; i += 1) stream.write('x'.repeat(1_000));
      stream.write('"}\n{"level":30}\n');
      stream.write(`{"level":40,"msg":"${'x'.repeat(100_000)}"}\n{"level":20}\n`);
      await end(stream);
      expect(shipper.values).toEqual(['{"level":30}', '{"level":20}']);
      expect(shipper.tooLargeLevels).toEqual([50, 40]);
    },
  );

  it('never asks to wait', () => {
    const { stream } = open();
    for (let i = 0; i < 1_000; i += 1) expect(stream.write(`${'x'.repeat(100_000)}\n`)).toBe(true);
  });

  it('hands what comes after the end to delivery, which counts it, and emits no error', async () => {
    const { shipper, stream } = open();
    const logger = pino(stream);
    await end(stream);
    logger.info('late');
    expect(shipper.values).toHaveLength(1);
  });

  it('delivers what it has taken when it is destroyed, and emits no error', async () => {
    const { shipper, stream } = open();
    stream.write('{"level":30}\n{"level"');
    stream.destroy(new Error('from elsewhere'));
    await once(stream, 'close');
    expect(shipper.closed).toBe(true);
    expect(shipper.values).toEqual(['{"level":30}', '{"level"']);
  });

  it('ends a pipeline of strings, bytes and objects', async () => {
    const { shipper, stream } = open({ keyField: 'id' });
    const source = Readable.from([
      `${lines[0]}\n`,
      Buffer.from(`${lines[1]}\n`),
      { level: 40, id: 7 },
    ]);
    await pipeline(source, stream);
    expect(shipper.values).toEqual([...lines, '{"level":40,"id":7}']);
    expect(shipper.records[2]).toMatchObject({ level: 40, key: '7' });
  });

  it('gives records the key, headers and partition of the options', async () => {
    const { shipper, stream } = open({
      keyField: 'user',
      headers: { service: 'billing' },
      headerFields: ['trace', 'count', 'absent', 'nested'],
      partition: 2,
    });
    stream.write('{"level":30,"user":"u1","trace":"t1","count":3,"nested":{"a":1}}\n');
    stream.write('{"level":30,"user":null}\nno JSON\n["user"]\n{"toString":1}\n');
    await end(stream);
    expect(shipper.records[0]).toMatchObject({
      key: 'u1',
      partition: 2,
      headers: [
        ['service', 'billing'],
        ['trace', 't1'],
        ['count', '3'],
        ['nested', '{"a":1}'],
      ],
    });
    expect(shipper.records.slice(1).map(({ key }) => key)).toEqual([null, null, null, null]);
    expect(shipper.values[2]).toBe('no JSON');
  });

  it('flushes what Pino has written, without an error', async () => {
    const { shipper, stream } = open();
    const logger = pino(stream);
    logger.info('one');
    await new Promise<void>((resolve, reject) =>
      logger.flush((error) => (error ? reject(error) : resolve())),
    );
    expect(shipper.writtenAtFlush).toBe(1);
  });

  it('flushes only when the transform has seen what was written', async () => {
    const { shipper, stream } = open({}, (record) => record);
    for (let i = 0; i < 1_000; i += 1) stream.write(`{"i":${i}}\n`);
    await new Promise<void>((resolve) => stream.flush(resolve));
    expect(shipper.writtenAtFlush).toBe(1_000);
  });

  it('does not ship what is logged about itself', async () => {
    let echo: () => void = () => undefined;
    const diagnostics = new Diagnostics(() => echo());
    const { shipper, stream } = open({}, null, diagnostics);
    const logger = pino(stream);
    echo = () => logger.warn('the logger has trouble');
    logger.info('one');
    diagnostics.emit('BUFFER_FULL', 'full');
    logger.info('two');
    await end(stream);
    expect(shipper.values.map((value) => JSON.parse(value).msg)).toEqual(['one', 'two']);
  });
});

describe('A transform', () => {
  it('answers records, strings, or null for what is not shipped', async () => {
    const answers: Record<string, unknown> = {
      object: { kept: true, id: 'new' },
      string: 'plain text',
      nothing: null,
    };
    const { shipper, stream } = open(
      { keyField: 'id' },
      (record) => answers[String(record['answer'])],
    );
    for (const answer of Object.keys(answers)) {
      stream.write(`{"level":40,"time":1700000000000,"id":"old","answer":"${answer}"}\n`);
    }
    await end(stream);
    expect(shipper.values).toEqual(['{"kept":true,"id":"new"}', 'plain text']);
    // The key is the transformed record's; a string has no fields, and keeps the original's.
    expect(shipper.records.map(({ key }) => key)).toEqual(['new', 'old']);
    expect(shipper.records.map(({ level }) => level)).toEqual([40, 40]);
    expect(shipper.records.map(({ timestamp }) => timestamp)).toEqual([
      1_700_000_000_000, 1_700_000_000_000,
    ]);
    expect(shipper.filteredCount).toBe(1);
  });

  it('that fails sends the original line to dead letters, and the next record goes on', async () => {
    const { shipper, stream } = open({}, (record) => {
      if (record['bad'] === 'throws') throw new Error('too hot');
      if (record['bad'] === 'rejects') return Promise.reject(new Error('too late'));
      if (record['bad'] === 'number') return 42;
      if (record['bad'] === 'without text') throw Object.create(null);
      return record;
    });
    const bad = ['throws', 'rejects', 'number', 'without text'].map(
      (how) => `{"level":50,"bad":"${how}"}`,
    );
    for (const line of bad) stream.write(`${line}\n`);
    stream.write('no JSON\n\n{"level":30}\n');
    await end(stream);
    expect(shipper.values).toEqual(['{"level":30}']);
    expect(shipper.deadLetters.map(({ record }) => String(record.value))).toEqual([
      ...bad,
      'no JSON',
    ]);
    expect(shipper.deadLetters.map(({ code }) => code)).toEqual(Array(5).fill('TRANSFORM_FAILED'));
    expect(shipper.deadLetters[0]?.message).toContain('too hot');
  });

  it('loses nothing in a flood that ends at once', async () => {
    const { shipper, stream } = open({}, (record) => record);
    for (let i = 0; i < 50_000; i += 1) stream.write(`{"i":${i}}\n`);
    await end(stream);
    expect(shipper.values).toHaveLength(50_000);
    expect(shipper.values.at(-1)).toBe('{"i":49999}');
  });
});
