import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineCutter } from '../../../src/transports/line-cutter.ts';

function cut(chunks: readonly string[]): string[] {
  const lines: string[] = [];
  const cutter = new LineCutter((line) => lines.push(line));
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

  it('leaves out empty lines', () => {
    expect(cut(['\n\n{"a":1}\n', '\n', '{"b":2}\n\n'])).toEqual(['{"a":1}', '{"b":2}']);
  });
});
