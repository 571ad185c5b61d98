import { spawn } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { closeSync, existsSync, mkdtempSync, openSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Diagnostics, diagnosticsChannelName, stderrSink } from '../../src/diagnostics.ts';

/** Everything that a process with this module as its sink writes to stdout. */
async function aliveWith(module: string | null, stderr: number | 'ignore'): Promise<string> {
  const path = join(mkdtempSync(join(tmpdir(), 'diagnostics-')), 'sink.mjs');
  if (module !== null) writeFileSync(path, module);
  const script = fileURLToPath(new URL('diagnostics-process.ts', import.meta.url));
  const url = pathToFileURL(path).href;
  const child = spawn(process.execPath, ['--import', 'tsx', script, url], {
    stdio: ['ignore', 'pipe', stderr],
  });
  return child.stdout === null ? '' : text(child.stdout);
}

describe('diagnostics', () => {
  it('write one line a code each 30 s, and say how many were held back', () => {
    let now = 0;
    const lines: string[] = [];
    const sink = stderrSink(
      (line) => lines.push(line),
      () => now,
    );
    const diagnostics = new Diagnostics(sink);
    diagnostics.emit('BUFFER_FULL', 'one');
    diagnostics.emit('BUFFER_FULL', 'two');
    diagnostics.emit('TOPIC_UNKNOWN', 'other');
    now = 29_999;
    diagnostics.emit('BUFFER_FULL', 'three');
    now = 30_000;
    diagnostics.emit('BUFFER_FULL', 'four');
    expect(lines).toEqual([
      'diaspora-logger BUFFER_FULL: one\n',
      'diaspora-logger TOPIC_UNKNOWN: other\n',
      'diaspora-logger BUFFER_FULL: four (2 more of this kind since the last line)\n',
    ]);
  });

  it('count a line that cannot be written as held back, and try the next at once', () => {
    let full = true;
    const lines: string[] = [];
    const sink = stderrSink((line) => {
      if (full) throw Object.assign(new Error('write'), { code: 'EAGAIN' });
      lines.push(line);
    });
    const diagnostics = new Diagnostics(sink);
    diagnostics.emit('BUFFER_FULL', 'one');
    diagnostics.emit('BUFFER_FULL', 'two');
    full = false;
    diagnostics.emit('BUFFER_FULL', 'three');
    expect(lines).toEqual([
      'diaspora-logger BUFFER_FULL: three (2 more of this kind since the last line)\n',
    ]);
  });

  it.each([
    ['throws', 'export default ({ message }) => { console.log(message); throw new Error(); };'],
    ['rejects', 'export default async ({ message }) => { console.log(message); throw 1; };'],
  ])('hurt nobody where the module %s', async (_how, module) => {
    expect(await aliveWith(module, 'ignore')).toBe('before the module is loaded\nafter\nalive\n');
  });

  it.skipIf(!existsSync('/dev/full'))(
    'hurt nobody where there is no module and no room on stderr either',
    async () => {
      const full = openSync('/dev/full', 'w');
      expect(await aliveWith(null, full)).toBe('alive\n');
      closeSync(full);
    },
  );

  it('keep good news off stderr', () => {
    const lines: string[] = [];
    const diagnostics = new Diagnostics(stderrSink((line) => lines.push(line)));
    diagnostics.emit('CONNECTED', 'to a broker');
    expect(lines).toEqual([]);
  });

  it('are published on one channel, whatever a sink does', () => {
    const events: unknown[] = [];
    const listener = (event: unknown): void => void events.push(event);
    subscribe(diagnosticsChannelName, listener);
    const diagnostics = new Diagnostics(() => {
      throw new Error('a bad sink');
    });
    diagnostics.emit('TOPIC_UNKNOWN', 'no such topic', { topic: 'logs' });
    unsubscribe(diagnosticsChannelName, listener);
    expect(events).toMatchObject([
      {
        event: 'retry',
        code: 'TOPIC_UNKNOWN',
        message: 'no such topic',
        detail: { topic: 'logs' },
      },
    ]);
  });
});
