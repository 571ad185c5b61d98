import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Diagnostics, diagnosticsChannelName, stderrSink } from '../../src/diagnostics.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('diagnostics', () => {
  it('write one line a code each 30 s, and say how many were held back', () => {
    vi.useFakeTimers({ now: 0 });
    const lines: string[] = [];
    const diagnostics = new Diagnostics(stderrSink((line) => lines.push(line)));
    diagnostics.emit('BUFFER_FULL', 'one');
    diagnostics.emit('BUFFER_FULL', 'two');
    diagnostics.emit('TOPIC_UNKNOWN', 'other');
    vi.setSystemTime(29_999);
    diagnostics.emit('BUFFER_FULL', 'three');
    vi.setSystemTime(30_000);
    diagnostics.emit('BUFFER_FULL', 'four');
    expect(lines).toEqual([
      'diaspora-logger BUFFER_FULL: one\n',
      'diaspora-logger TOPIC_UNKNOWN: other\n',
      'diaspora-logger BUFFER_FULL: four (2 more of this kind since the last line)\n',
    ]);
  });

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
