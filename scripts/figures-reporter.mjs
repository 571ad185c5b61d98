/**
 * A vitest reporter of what the tests under `test/faults` have measured. It prints each table; where `FIGURES_FILE` names
 * a Markdown file and every one of these tests ran, it puts the tables there, each between `<!-- figures FORM TABLE -->` and
 * `<!-- end of figures -->`: a table may have rows from several files of tests.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @import { TestModule } from 'vitest/node' */
/** @import { Reporter } from 'vitest/reporters' */
/** @import {} from '../test/faults/report/figures.ts' */
/** @typedef {Readonly<Record<string, string | number>>} Figures */

const directory = fileURLToPath(new URL('../test/faults', import.meta.url));

/** @implements {Reporter} */
export default class FiguresReporter {
  #begunAt = performance.now();

  onTestRunStart() {
    this.#begunAt = performance.now();
  }

  /** @param {ReadonlyArray<TestModule>} modules */
  onTestRunEnd(modules) {
    const file = process.env['FIGURES_FILE'];
    const form = process.env['TEST_FORM'] ?? 'short';
    // In the order of their paths: the order in which they ran changes from run to run.
    const inOrder = modules.toSorted((one, other) => (one.moduleId < other.moduleId ? -1 : 1));
    const tests = inOrder.flatMap((module) => [...module.children.allTests()]);
    /** @type {Map<string, Figures[]>} */
    const tables = new Map();
    for (const { table, figures } of tests.flatMap((test) => test.meta().figures ?? [])) {
      tables.set(table, [...(tables.get(table) ?? []), figures]);
    }
    if (tables.size === 0) return;
    for (const [name, rows] of tables) console.log(`\n── ${name}\n${tableOf(rows)}`);
    if (!file) return;
    const unrun = unrunIn(modules);
    if (unrun.length > 0) {
      console.log(`\nNot written into ${file}, since not all tests ran: ${unrun.join(', ')}`);
      return;
    }
    const under = lineUnder(performance.now() - this.#begunAt, failuresIn(modules));
    writeFileSync(
      file,
      [...tables].reduce(
        (page, [name, rows]) => filledIn(page, `${form} ${name}`, `${tableOf(rows)}\n\n${under}`),
        readFileSync(file, 'utf8'),
      ),
    );
    console.log(`\nWritten into ${file}: ${[...tables.keys()].join(', ')}`);
  }
}

/**
 * Files of these tests of which not everything ran.
 *
 * @param {ReadonlyArray<TestModule>} modules
 */
function unrunIn(modules) {
  const whole = modules.filter((module) =>
    [...module.children.allTests()].every((test) => test.result().state !== 'skipped'),
  );
  const ran = new Set(whole.map(({ moduleId }) => moduleId));
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !ran.has(join(directory, name)))
    .sort();
}

/**
 * Tests that failed, and files that failed without one.
 *
 * @param {ReadonlyArray<TestModule>} modules
 */
function failuresIn(modules) {
  return modules.reduce((sum, module) => {
    const failed = [...module.children.allTests('failed')].length;
    return sum + (module.state() === 'failed' ? Math.max(1, failed) : 0);
  }, 0);
}

/**
 * @param {number} milliseconds of the whole run
 * @param {number} failures
 */
function lineUnder(milliseconds, failures) {
  const machine = `Node ${process.versions.node}, ${process.platform}, ${availableParallelism()} processors`;
  const date = new Date().toISOString().slice(0, 10);
  const minutes = (milliseconds / 60_000).toFixed(1);
  const outcome = failures === 0 ? 'no test failed' : `TESTS FAILED: ${failures}`;
  return `${date}, ${machine}; the whole run took ${minutes} minutes, and ${outcome}.`;
}

/**
 * @param {string} page
 * @param {string} name form and table
 * @param {string} content
 */
function filledIn(page, name, content) {
  const start = `<!-- figures ${name} -->`;
  const end = '<!-- end of figures -->';
  const from = page.indexOf(start);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`The page has no place for "${start}" … "${end}".`);
  return `${page.slice(0, from)}${start}\n\n${content}\n\n${page.slice(to)}`;
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
