import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { DeadLetters } from '../../../src/delivery/dead-letters.ts';

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'dead-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const at = {
  reason: 'RECORD_INVALID',
  message: 'why',
  topic: 'logs',
  partition: 1,
  stamp: { producerId: 7n, epoch: 2, baseSequence: 2 ** 31 - 1 },
};

it('a dead letter has the record, its reason, its stamp and the time', () => {
  const letters = new DeadLetters(directory(), 'source');
  const bytes = Buffer.from([0xff, 0xfe]);
  letters.write(
    [
      { key: Buffer.from('k'), value: Buffer.from('ü'), headers: [['h', 'v']], timestamp: 0 },
      { key: null, value: bytes, headers: [], timestamp: 9e15 },
    ],
    at,
  );
  const [first, second] = readFileSync(letters.file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(first).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    reason: 'RECORD_INVALID',
    message: 'why',
    topic: 'logs',
    partition: 1,
    stamp: { producerId: '7', epoch: 2, sequence: 2 ** 31 - 1 },
    record: {
      timestamp: '1970-01-01T00:00:00.000Z',
      key: 'k',
      value: 'ü',
      headers: [['h', 'v']],
    },
  });
  expect(second).toMatchObject({
    stamp: { sequence: 0 },
    record: { timestamp: 9e15, value: { base64: bytes.toString('base64') } },
  });
});

it('dead letters are appended to what is there', () => {
  const letters = new DeadLetters(directory(), 'source');
  appendFileSync(letters.file, 'before\n');
  letters.write([{ key: null, value: 'x', headers: [], timestamp: 0 }], at);
  expect(readFileSync(letters.file, 'utf8')).toMatch(/^before\n\{.*\}\n$/);
});

it('a line that the disk takes only in part is taken back, and the next one stays whole', () => {
  const script = fileURLToPath(new URL('short-write.ts', import.meta.url));
  // A limit of 4 KiB a file: a full disk, too, takes a part and refuses the rest.
  const command = 'ulimit -f 4; exec "$0" --import tsx "$1" "$2"';
  const { stdout } = spawnSync('bash', ['-c', command, process.execPath, script, directory()], {
    encoding: 'utf8',
  });
  const { refused, content } = JSON.parse(stdout);
  expect(refused).toBe(true);
  const values = content
    .trimEnd()
    .split('\n')
    .map((line: string) => JSON.parse(line).record.value);
  expect(values).toEqual(['first', 'third']);
});
