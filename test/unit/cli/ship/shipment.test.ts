import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { Shipment } from '../../../../src/cli/ship/shipment.ts';
import { Tee } from '../../../../src/cli/ship/tee.ts';
import { Diagnostics } from '../../../../src/diagnostics.ts';
import { resolveTransport } from '../../../../src/options.ts';

interface Shipping {
  readonly shipment: Shipment;
  readonly stop: AbortController;
  /** The values of the dead letters, in their order. */
  letters(): string[];
}

/** To port 9, which is for a service that no machine has any more. */
function shipping({
  tee = null,
  isFollowing = false,
  closeTimeoutMs = 10,
}: {
  readonly tee?: Tee | null;
  readonly isFollowing?: boolean;
  readonly closeTimeoutMs?: number;
} = {}): Shipping {
  const directory = mkdtempSync(join(tmpdir(), 'shipment-'));
  const stop = new AbortController();
  const transport = resolveTransport({
    topic: 't',
    bootstrapBrokers: '127.0.0.1:9',
    tls: false,
    auth: { type: 'none' },
    bufferMaxBytes: 64 * 1024,
    batchMaxBytes: 8 * 1024,
    closeTimeoutMs,
    deadLetter: directory,
  });
  const shipment = new Shipment({
    transport,
    diagnostics: new Diagnostics(),
    tee,
    isFollowing,
    arrivalTime: false,
    patienceMs: Number.POSITIVE_INFINITY,
    onImpatient: () => stop.abort(),
    say: () => {},
  });
  onTestFinished(async () => {
    stop.abort();
    await shipment.deliver(AbortSignal.abort());
    rmSync(directory, { recursive: true });
  });
  const letters = (): string[] =>
    readdirSync(directory)
      .flatMap((name) => readFileSync(join(directory, name), 'utf8').trimEnd().split('\n'))
      .map((letter) => JSON.parse(letter).record.value);
  return { shipment, stop, letters };
}

const given = Array.from({ length: 1_000 }, (_, n) => `line ${n} ${'x'.repeat(100)}`);
const chunk = Buffer.from(`${given.join('\n')}\n`);
const allUndelivered = { records: 1_000, acknowledged: 0, dropped: 0, unresolved: 1_000 };

it('counts, and keeps, every line that it has read when it is to end at once', async () => {
  const { shipment, stop, letters } = shipping();
  const taken = shipment.take(chunk, shipment.linesOf(stop.signal, false));
  expect(shipment.waiting).toBeLessThan(1_000);
  shipment.giveUp();
  expect(shipment.summary([], 'SIGINT')).toMatchObject(allUndelivered);
  expect(letters()).toEqual(given);
  stop.abort();
  await taken;
});

it('does so where the tee is not taken', () => {
  const stuck = new Writable({ highWaterMark: 1, write: () => {} });
  const { shipment, stop, letters } = shipping({ tee: new Tee(stuck, () => {}) });
  void shipment.take(chunk, shipment.linesOf(stop.signal, false));
  shipment.giveUp();
  expect(shipment.summary([], 'SIGINT')).toMatchObject(allUndelivered);
  expect(letters()).toEqual(given);
});

it('passes on whole lines alone of files that are followed side by side, as it ships them', async () => {
  const stream = new PassThrough();
  const { shipment, stop } = shipping({ tee: new Tee(stream, () => {}), isFollowing: true });
  const [one, two] = [shipment.linesOf(stop.signal, true), shipment.linesOf(stop.signal, true)];
  await shipment.take(Buffer.from('1\r\n\n11'), one);
  await shipment.take(Buffer.from('2\n22'), two);
  await shipment.take(Buffer.from('1\n'), one);
  await two.end();
  await shipment.take(Buffer.from('left'), one);
  await one.leave();
  stream.end();
  expect(await text(stream)).toBe('1\r\n\n2\n111\n22\n');
  expect(shipment.waiting).toBe(4);
});

it('counts, and keeps, lines that find no room before closing takes too long', async () => {
  const { shipment, stop, letters } = shipping();
  const taken = shipment.take(chunk, shipment.linesOf(stop.signal, false));
  stop.abort();
  await taken;
  await shipment.deliver(stop.signal);
  expect(shipment.summary([], 'SIGINT')).toMatchObject(allUndelivered);
  expect(letters()).toEqual(given);
});

it('gives what comes last in a pipe all the time that closing may take, whatever was read before it', async () => {
  const { shipment, stop: asked } = shipping({ closeTimeoutMs: 200 });
  const readNoMore = new AbortController();
  const file = shipment.linesOf(asked.signal, true);
  await file.push(Buffer.from('of a file\n'));
  await file.end();
  const pipe = shipment.linesOf(readNoMore.signal, false);
  asked.abort();
  await setTimeout(250);
  await pipe.push(Buffer.from('last words\n'));
  await pipe.end();
  const endedAt = performance.now();
  await shipment.deliver(asked.signal);
  expect(performance.now() - endedAt).toBeGreaterThan(190);
});

it('waits no longer for room in an input that is begun when nothing more is to be read', async () => {
  const { shipment, stop } = shipping();
  stop.abort();
  await shipment.take(chunk, shipment.linesOf(stop.signal, true));
  expect(shipment.waiting).toBe(1_000);
});
