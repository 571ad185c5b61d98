import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { diagnosticCodes } from '../../src/diagnostics.ts';

const root = new URL('../..', import.meta.url).pathname;
const codes = Object.keys(diagnosticCodes).sort();

it('the troubleshooting page explains every diagnostic code, and no other', () => {
  const page = readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8');
  const explained = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
  expect(explained.sort()).toEqual(codes);
});

it('the troubleshooting page has a cause and a remedy for each of them', () => {
  const page = readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (`[A-Z_]+` .*) \|$/gm)].map(([, cells]) =>
    String(cells)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
  expect(rows).toHaveLength(codes.length);
  for (const cells of rows) {
    expect(cells, cells[0]).toHaveLength(3);
    expect(cells, cells[0]).not.toContain('');
  }
});

it('every diagnostic code is one that the package can report', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('diagnostics.ts'))
    .map((file) => readFileSync(join(root, 'src', file), 'utf8'))
    .join('\n');
  expect(codes.filter((code) => !sources.includes(`'${code}'`))).toEqual([]);
});
