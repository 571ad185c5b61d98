import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DocsPage } from '../integration/docs-page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));

const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts') && !file.endsWith('docs.test.ts'))
  .map((file) => readFileSync(join(root, 'test', file), 'utf8'))
  .join('\n');

/** Files of the checkout that a Markdown file links to, from its root. */
function linksOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const paths = [...text.matchAll(/\]\((?![a-z]+:|#)([^)#]+)[^)]*\)/g)].map(
    ([, path = '']) => path,
  );
  return paths.map((path) => join(dirname(file), path));
}

/** Headings as GitHub makes anchors of them. */
function anchorsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('each page of the documentation', () => {
  it('is linked from the README or from the index of the pages', () => {
    const linked = new Set([...linksOf('README.md'), ...linksOf('docs/README.md')]);
    const others = pages.filter((name) => name !== 'README.md');
    expect(others.filter((name) => !linked.has(`docs/${name}`))).toEqual([]);
    expect(linked).toContain('docs/README.md');
  });

  it.each(pages.filter((name) => name !== 'README.md'))('%s has a test that opens it', (name) => {
    const opened = tests.includes(`DocsPage('${name}')`) || tests.includes(`docs/${name}`);
    expect(opened).toBe(true);
  });

  it.each(pages)('%s links only to files and headings that there are', (name) => {
    for (const link of new DocsPage(name).links()) {
      const [path = '', anchor] = link.split('#');
      const file = path === '' ? `docs/${name}` : join('docs', path);
      expect(existsSync(join(root, file)), link).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(file), link).toContain(anchor);
    }
  });

  it.each(pages)('%s has one title, and nothing left to fill in', (name) => {
    const { text } = new DocsPage(name);
    expect(text).toMatch(/^# \S/);
    expect(text.replaceAll(/^```[\s\S]*?^```$/gm, '').match(/^# /gm)).toHaveLength(1);
    expect(text).not.toMatch(/TODO|TBD/);
  });
});
