import { createColors } from 'picocolors';
import { describe, expect, it } from 'vitest';
import { Examination, ok, warning } from '../../../../src/cli/doctor/examination.ts';
import {
  progressOn,
  reportObject,
  resultText,
  summaryText,
} from '../../../../src/cli/doctor/render.ts';
import { ConnectionError } from '../../../../src/errors.ts';

const quiet = { onStart: () => undefined, onResult: () => undefined };
const plan = { waitsFor: 'the moon', timeoutMs: 10_000 };
const plain = { colours: createColors(false), columns: null };

describe('an examination', () => {
  it('hands on what was found, and skips what lacks it', async () => {
    const examination = new Examination({ timeoutMs: 10_000, ...quiet });
    const one = await examination.check({ ...plan, id: 'one', title: 'One', needs: [] }, () =>
      ok(1, 'found'),
    );
    const bad = await examination.check(
      { ...plan, id: 'bad', title: 'Bad', needs: [one] },
      ([value]) => {
        throw new ConnectionError('BROKER_UNREACHABLE', `Broken at ${value}. Check it.`, false);
      },
    );
    await examination.check({ ...plan, id: 'after', title: 'After', needs: [one, bad] }, () =>
      ok(true),
    );
    expect(examination.results).toMatchObject([
      { id: 'one', status: 'ok', exitStatus: 0 },
      {
        id: 'bad',
        status: 'failed',
        exitStatus: 4,
        notes: [{ text: 'Broken at 1.', advice: 'Check it.' }],
      },
      { id: 'after', status: 'skipped', notes: [{ text: 'not looked at, because of: Bad' }] },
    ]);
  });

  it('ends a check at its time, and says what it waited for', async () => {
    const examination = new Examination({ timeoutMs: 10_000, ...quiet });
    let isOver = false;
    const hold = setInterval(() => undefined, 1_000);
    await examination.check(
      { ...plan, id: 'slow', title: 'Slow', needs: [], timeoutMs: 20 },
      (_needs, signal) => {
        signal.addEventListener('abort', () => {
          isOver = true;
        });
        return new Promise<never>(() => undefined);
      },
    );
    clearInterval(hold);
    expect(isOver).toBe(true);
    expect(examination.results[0]).toMatchObject({ status: 'failed', exitStatus: 4 });
    expect(examination.results[0]?.notes[0]?.text).toMatch(
      /^No answer within 0 s: waited for the moon\.$/,
    );
  });

  it('makes no more checks once the time of all is over', async () => {
    const examination = new Examination({ timeoutMs: 50, ...quiet });
    await examination.check({ ...plan, id: 'late', title: 'Late', needs: [] }, () => ok(true));
    expect(examination.results[0]?.notes[0]?.text).toBe(
      'not looked at: the 0.05 s of all checks are over',
    );
  });
});

describe('the report', () => {
  const result = { id: 'tls', title: 'TLS', exitStatus: 2, ms: 3 };

  it('breaks lines at words, and indents them', () => {
    const notes = [{ text: `${'word '.repeat(12)}end`, advice: 'Do this.' }];
    expect(resultText({ ...result, status: 'failed', notes }, { ...plain, columns: 60 })).toBe(
      [
        '✘ TLS                word word word word word word word word',
        '                     word word word word end',
        '                     → Do this.',
        '',
      ].join('\n'),
    );
  });

  it('lets nothing steer the terminal', () => {
    const notes = [{ text: 'a\u001b[2Jb\rc\u009b31m\u202ed' }];
    expect(resultText({ ...result, status: 'ok', notes }, plain)).toBe(
      '✔ TLS                a [2Jb c 31m d\n',
    );
  });

  it('sums up, and names the first that failed', async () => {
    const examination = new Examination({ timeoutMs: 10_000, ...quiet });
    await examination.check({ ...plan, id: 'a', title: 'A', needs: [] }, () => warning(true, 'hm'));
    expect(summaryText(examination.results, plain)).toBe('\nNothing failed (1 warning).\n');
    const bad = await examination.check({ ...plan, id: 'b', title: 'B', needs: [] }, () => {
      throw new TypeError('oops');
    });
    await examination.check({ ...plan, id: 'c', title: 'C', needs: [bad] }, () => ok(true));
    expect(summaryText(examination.results, plain)).toBe(
      '\n1 failed, 1 warning, 1 not looked at. Begin with: B.\n',
    );
    expect(reportObject(examination.results)).toMatchObject({
      status: 'failed',
      exitCode: 1,
      checks: [
        { id: 'a', status: 'warning', detail: 'hm', advice: null },
        { id: 'b', status: 'failed', detail: 'oops' },
        { id: 'c', status: 'skipped' },
      ],
    });
  });

  it('says what is waited for only where a person watches', () => {
    const written: string[] = [];
    const stream = (isTTY: boolean) => ({ isTTY, write: (text: string) => written.push(text) });
    progressOn(stream(false), {}).show({ title: 'TLS', waitsFor: 'x' });
    progressOn(stream(true), { json: true }).show({ title: 'TLS', waitsFor: 'x' });
    expect(written).toEqual([]);
    progressOn(stream(true), {}).show({ title: 'TLS', waitsFor: 'the brokers' });
    expect(written.join('')).toContain('waiting for the brokers');
  });
});
