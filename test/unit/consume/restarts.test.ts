/** A consumer whose broker is away: many memberships that come to nothing. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it, onTestFinished } from 'vitest';
import { DiasporaConsumer } from '../../../src/consume/consumer.ts';
import { type DiagnosticEvent, diagnosticsChannelName } from '../../../src/diagnostics.ts';

it('says each time what is wrong, and leaves no listener behind', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', onWarning);
  onTestFinished(() => void process.off('warning', onWarning));

  const events: DiagnosticEvent[] = [];
  // Node warns of more than ten listeners.
  const enough = 15;
  await using consumer = new DiasporaConsumer({
    topic: 'logs',
    groupId: 'readers',
    // Nobody listens on port 1.
    bootstrapBrokers: '127.0.0.1:1',
    auth: { type: 'none' },
    tls: false,
    retry: { minMs: 1, maxMs: 2 },
    diagnostics: 'silent',
  });
  await new Promise<void>((resolve) => {
    const onEvent = (event: unknown): void => {
      if (events.push(event as DiagnosticEvent) === enough) resolve();
    };
    subscribe(diagnosticsChannelName, onEvent);
    onTestFinished(() => void unsubscribe(diagnosticsChannelName, onEvent));
  });
  await consumer.close();
  expect(new Set(events.map(({ code }) => code))).toEqual(new Set(['BROKER_UNREACHABLE']));
  expect(events[0]?.message).toMatch(/ The consumer of group readers starts again by itself\.$/);
  expect(events[0]?.detail).toMatchObject({ groupId: 'readers' });
  expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([]);
});
