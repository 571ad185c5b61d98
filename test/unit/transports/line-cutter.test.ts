import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineCutter } from '../../../src/transports/line-cutter.ts';

const tooLong = '(too long)';

function cut(chunks: readonly string[], maxLength = 1_000_000): string[] {
  const lines: string[] = [];
  const receiver = {
    line: (line: string) => void lines.push(line),
    tooLong: (beginning: string) => void lines.push(`${tooLong} ${beginning}`),
  };
  const cutter = new LineCutter(receiver, maxLength);
  for (const chunk of chunks) cutter.push(chunk);
  cutter.end();
  return lines;
}

describe('LineCutter', () => {
  it('finds the same lines wherever the text is cut in two', () => {
    const lines = ['{"a":"ä€😀"}', '{"b":1}', '{"c":"漢字"}'];
    const text = `${lines.join('\n')}\n`;
    for (let at = 0; at <= text.length; at += 1) {
      expect(cut([text.slice(0, at), text.slice(at)])).toEqual(lines);
    }
  });

  it('finds the same lines in any number of chunks', () => {
    const line = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => !text.includes('\n'));
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(), { maxLength: 20 }), (lines, cuts) => {
        const text = lines.map((one) => `${one}\n`).join('');
        const at = [...new Set(cuts.map((cutAt) => cutAt % (text.length + 1)))].sort(
          (a, b) => a - b,
        );
        const chunks = [0, ...at].map((from, index) => text.slice(from, at[index] ?? text.length));
        expect(cut(chunks)).toEqual(lines);
      }),
    );
  });

  it('hands on a last line without its newline', () => {
    expect(cut(['{"a":1}\n{"b"', ':2}'])).toEqual(['{"a":1}', '{"b":2}']);
  });

  it('knows lines by LF and by CRLF, wherever the text is cut', () => {
    const text = '{"a":1}\r\n{"b":1}\n\r\n\n{"c":"\r"}\r\n{"d":1}\r';
    const lines = ['{"a":1}', '{"b":1}', '{"c":"\r"}', '{"d":1}'];
    for (let at = 0; at <= text.length; at += 1) {
      expect(cut([text.slice(0, at), text.slice(at)])).toEqual(lines);
    }
  });

  it('keeps no line that is too long, says so once, and goes on with the next, wherever the text is cut', () => {
    const text = `first\n${'x'.repeat(30)}\nlast one\n`;
    for (let at = 0; at <= text.length; at += 1) {
      for (let next = at; next <= text.length; next += 1) {
        const chunks = [text.slice(0, at), text.slice(at, next), text.slice(next)];
        expect(cut(chunks, 10)).toEqual([
          'first',
          expect.stringMatching(/^\(too long\) x+$/),
          'last one',
        ]);
      }
    }
  });

  it('keeps only the beginning of a line that never ends', () => {
    const chunk = 'x'.repeat(1 << 20);
    const lines = cut(Array(600).fill(chunk), Number.POSITIVE_INFINITY);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.length).toBeLessThan(10_000);
  });

  it('leaves out empty lines', () => {
    expect(cut(['\n\n{"a":1}\n', '\n', '{"b":2}\n\n'])).toEqual(['{"a":1}', '{"b":2}']);
  });
});
