import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonForm } from '../../../../src/cli/tail/json-form.ts';
import { prettyPrint } from '../../../../src/cli/tail/pretty.ts';
import { contentOf } from '../../../../src/cli/tail/record-content.ts';
import { safeBlock, safeLine } from '../../../../src/cli/tail/safe-text.ts';
import { record } from './records.ts';

const steering = /(?![\t\n])[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u;

/** Text that likes to steer a terminal, among other text. */
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      '\u001b',
      '[',
      '2',
      'J',
      '\u009b',
      '\r',
      '\n',
      '\0',
      '\u007f',
      '\u202e',
      '\u2066',
      '\u2028',
    ),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
  ),
});

const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, 1, -1e300, 30, 60),
    text,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.oneof(
        text,
        fc.constantFrom(
          'level',
          'time',
          'msg',
          'message',
          'timestamp',
          'err',
          'stack',
          'type',
          '__proto__',
          'name',
          'pid',
          'hostname',
        ),
      ),
      tie('value'),
      { maxKeys: 5 },
    ),
  ),
})).value;

describe('text at a terminal', () => {
  it('has its control characters shown', () => {
    expect(safeLine('a\u001b[31m\u009b\r\n\tb\u202e')).toBe(
      'a\\u001b[31m\\u009b\\u000d\\n\tb\\u202e',
    );
    expect(safeBlock('a\n\u0007')).toBe('a\n\\u0007');
    expect(safeLine('grüße 👩‍👩‍👧 שלום')).toBe('grüße 👩‍👩‍👧 שלום');
  });

  it('steers nothing, whatever a record holds', () => {
    const print = prettyPrint({ colour: false });
    fc.assert(
      fc.property(
        fc.oneof(
          json.map((value) => JSON.stringify(value)),
          text,
        ),
        (value) => {
          const one = record({
            value: Buffer.from(value),
            key: Buffer.from(value),
            headers: [[value, Buffer.from(value)]],
          });
          const content = contentOf(one.value);
          expect(print(one, content)).not.toMatch(steering);
          expect(print(one, content)).toMatch(/^\[\d{4}-/);
          const form = jsonForm(one, content);
          expect(form.slice(0, -1)).not.toMatch(/(?!\t)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
          expect(form.endsWith('\n')).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('shows a line of the record for one, and never two', () => {
    const print = prettyPrint({ colour: false });
    const forged = JSON.stringify({ level: 30, msg: 'a\n[2026-01-01 00:00:00.000] INFO: forged' });
    const shown = print(record(), contentOf(Buffer.from(forged)));
    expect(shown.split('\n')).toHaveLength(2);
    // Plain text may have lines: they are indented.
    const lines = print(record(), contentOf(Buffer.from('a\n[2026-01-01] INFO: forged')));
    expect(lines.split('\n')[1]).toBe('    [2026-01-01] INFO: forged');
  });

  it('is shown though objects are nested a thousand times', () => {
    const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
    const print = prettyPrint({ colour: false });
    expect(print(record(), contentOf(Buffer.from(deep))).length).toBeGreaterThan(100_000);
  });
});

describe('a record as JSON', () => {
  const formOf = (value: Buffer | null): string => jsonForm(record({ value }), contentOf(value));

  it('keeps what it means', () => {
    fc.assert(
      fc.property(fc.dictionary(text, json, { minKeys: 1 }), (object) => {
        const given = JSON.stringify(object);
        expect(JSON.parse(formOf(Buffer.from(given)))).toMatchObject({
          encoding: 'json',
          value: JSON.parse(given),
        });
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        const value = Buffer.from(bytes);
        const { encoding, value: told } = JSON.parse(formOf(value));
        if (encoding === 'base64') expect(Buffer.from(told, 'base64').equals(value)).toBe(true);
        else expect(Buffer.from(told).equals(value)).toBe(true);
      }),
    );
  });

  it('is one line though the record has several', () => {
    const form = formOf(Buffer.from('{\n\t"a": "b",\r\n "c": 1}'));
    expect(form.trimEnd()).not.toContain('\n');
    expect(JSON.parse(form).value).toEqual({ a: 'b', c: 1 });
  });

  it('has a header that occurs twice as an array', () => {
    const headers = [
      ['a', Buffer.from('1')],
      ['b', null],
      ['a', Buffer.from([255])],
    ] as const;
    const form = jsonForm(record({ headers }), contentOf(null));
    expect(JSON.parse(form).headers).toEqual({ a: ['1', { base64: '/w==' }], b: null });
  });
});
