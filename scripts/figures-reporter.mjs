/**
 * A vitest reporter of what the tests under `test/faults` have measured. It prints each table; where `FIGURES_FILE` names
 * a Markdown file, it puts the tables there, each between `<!-- figures FORM TABLE -->` and `<!-- end of figures -->`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** @import { TestModule } from 'vitest/node' */
/** @import { Reporter } from 'vitest/reporters' */
/** @import {} from '../test/faults/figures.ts' */
/** @typedef {Readonly<Record<string, string | number>>} Figures */

/** @implements {Reporter} */
export default class FiguresReporter {
  /** @param {ReadonlyArray<TestModule>} modules */
  onTestRunEnd(modules) {
    const file = process.env['FIGURES_FILE'];
    const form = process.env['FAULTS_FORM'] ?? 'short';
    /** @type {Map<string, Figures[]>} */
    const tables = new Map();
    /** @type {Set<string>} */
    const incomplete = new Set();
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      const isWhole = tests.every((test) => test.result().state !== 'skipped');
      for (const { table, figures } of tests.flatMap((test) => test.meta().figures ?? [])) {
        tables.set(table, [...(tables.get(table) ?? []), figures]);
        if (!isWhole) incomplete.add(table);
      }
    }
    if (tables.size === 0) return;
    for (const [name, rows] of tables) console.log(`\n── ${name}\n${tableOf(rows)}`);
    if (!file) return;
    const whole = [...tables].filter(([name]) => !incomplete.has(name));
    const page = readFileSync(file, 'utf8');
    writeFileSync(
      file,
      whole.reduce((text, [name, rows]) => filledIn(text, form, name, tableOf(rows)), page),
    );
    console.log(`\nWritten into ${file}: ${whole.map(([name]) => name).join(', ') || 'nothing'}`);
    if (incomplete.size > 0) {
      console.log(
        `Not written, since some of their tests did not run: ${[...incomplete].join(', ')}`,
      );
    }
  }
}

/**
 * @param {string} page
 * @param {string} form
 * @param {string} name
 * @param {string} table
 */
function filledIn(page, form, name, table) {
  const start = `<!-- figures ${form} ${name} -->`;
  const end = '<!-- end of figures -->';
  const from = page.indexOf(start);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`The page has no place for "${start}" … "${end}".`);
  const machine = `Node ${process.versions.node}, ${process.platform}, ${availableParallelism()} processors`;
  const date = new Date().toISOString().slice(0, 10);
  const text = `${start}\n\n${table}\n\n${date}, ${machine}\n\n`;
  return page.slice(0, from) + text + page.slice(to);
}

/** @param {ReadonlyArray<Figures>} rows */
function tableOf(rows) {
  const headings = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const line = (/** @type {ReadonlyArray<string | number>} */ cells) => `| ${cells.join(' | ')} |`;
  const cell = (/** @type {string | number | undefined} */ value) =>
    typeof value === 'number'
      ? value.toLocaleString('en-GB')
      : (value ?? '').replaceAll('|', '\\|');
  return [
    line(headings),
    line(headings.map(() => '---')),
    ...rows.map((row) => line(headings.map((heading) => cell(row[heading])))),
  ].join('\n');
}
