import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;
const page = readFileSync(join(root, 'docs/reliability.md'), 'utf8');

/** Of each: `full outages`, and what the page has there. */
const places = [
  ...page.matchAll(/^<!-- figures (.+) -->\n([\s\S]*?)^<!-- end of figures -->$/gm),
].map(([, name = '', content = '']) => ({ name, content }));

const sources = readdirSync(join(root, 'test/faults'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(join(root, 'test/faults', file), 'utf8'))
  .join('\n');

/** Null where a call does not name its table in so many words. */
const reported = new Set(
  [...sources.matchAll(/reportFigures\(context, (?:'([^']+)')?/g)].map(
    ([, table]) => table ?? null,
  ),
);

describe('the page of what was measured', () => {
  it('has one place in each form for each table that tests report, and no other', () => {
    const wanted = [...reported].flatMap((table) => [`full ${table}`, `short ${table}`]);
    expect(places.map(({ name }) => name).sort()).toEqual(wanted.sort());
  });

  it('has rows in every table', () => {
    const empty = places.filter(({ content }) => !/^\| --- .*\n\| /m.test(content));
    expect(empty.map(({ name }) => name)).toEqual([]);
  });

  it('has nothing left to fill in, and no run in which tests failed', () => {
    const lines = page.split('\n');
    expect(lines.filter((line) => /FULLTIME|TODO|TBD|TESTS FAILED/.test(line))).toEqual([]);
  });
});
