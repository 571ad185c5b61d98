/**
 * `npm test`: sets the checkout up and runs every check and every test, to the end even where some
 * fail. The last line is `N passed, N failed, N skipped`; each check counts as one test.
 * `npm test -- ARGUMENTS` runs vitest alone, with the arguments: `npm test -- test/unit`. With `--full`, tests that have a full form take it.
 * `npm run test:faults` runs the tests under `test/faults`, in ten minutes, and writes what they have measured into
 * docs/reliability.md; `npm run test:faults -- --full` runs them in full.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { root, SetupError, setUp } from './setup.mjs';

/** @import { NotPassed, Tally } from './tally-reporter.mjs' */

/** @type {Readonly<Record<string, string>>} */
const packagesOfPrograms = {
  attw: '@arethetypeswrong/cli',
  biome: '@biomejs/biome',
  knip: 'knip',
  publint: 'publint',
  tsc: 'typescript',
  vitest: 'vitest',
};

/** What the tests of faults may take where all run in the short form: they are part of every run of CI. */
const shortFormMinutes = 10;

/**
 * In a whole run what waits for brokers most of the time runs beside its like, and what measures stalls runs alone.
 *
 * @type {readonly (readonly string[])[]}
 */
const wholeRun = [['unit'], ['faults*'], ['integration', 'usage']];

const given = process.argv.slice(2);
const faults = given.includes('--faults');
const full = given.includes('--full');
const chosen = given.filter((arg) => arg !== '--faults' && arg !== '--full');
const args = [...(faults ? ['--project', 'faults*'] : []), ...chosen];
const temporary = mkdtempSync(join(tmpdir(), 'diaspora-test-'));

/** @type {Tally} */
const total = { passed: 0, failed: [], skipped: [] };

try {
  // With arguments, the tests chosen may need no Kafka; the stack says itself what it lacks.
  setUp({ localKafka: args.length === 0 });
  if (args.length === 0) await runChecks();
  await runVitest();
} catch (error) {
  console.error(error instanceof SetupError ? error.message : error);
  total.failed.push({ name: 'npm test', reason: String(error) });
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

list('Skipped', total.skipped);
list('Failed', total.failed);
console.log(
  `\n${total.passed} passed, ${total.failed.length} failed, ${total.skipped.length} skipped`,
);
process.exitCode = total.failed.length > 0 ? 1 : 0;

async function runChecks() {
  await check('Lint', 'biome', ['check', '.']);
  // Examples and tests import the package by its name, which is its build.
  await check('Build', process.execPath, [join(root, 'scripts', 'build.mjs')]);
  for (const project of ['tsconfig.json', 'examples/tsconfig.json', 'scripts/tsconfig.json']) {
    await check(`Types (${project})`, 'tsc', ['--project', project]);
  }
  await check('Unused code (knip)', 'knip', ['--no-progress']);
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', temporary];
  if (!(await check('Pack', process.platform === 'win32' ? 'npm.cmd' : 'npm', pack))) return;
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const tarball = join(temporary, `diaspora-logger-${version}.tgz`);
  await check('Package (publint)', 'publint', ['run', tarball, '--strict']);
  // It reports what TypeScript's oldest resolution cannot find, though the profile ignores it:
  // the examples' types name the package itself. test/packaging compiles an import of them.
  const esmOnly = ['--profile', 'esm-only', '--exclude-entrypoints', 'examples'];
  await check('Package types (attw)', 'attw', [tarball, ...esmOnly, '--no-definitely-typed']);
}

/**
 * Runs a program and shows what it printed only if it fails.
 *
 * @param {string} title
 * @param {string} program a package's program, or a path or name of any other
 * @param {readonly string[]} programArgs
 */
async function check(title, program, programArgs) {
  const start = performance.now();
  heading(title);
  const child = launch(program, programArgs, 'pipe');
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'close'),
    child.stdout ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
  ]);
  if (code === 0) total.passed += 1;
  else {
    total.failed.push({ name: title, reason: 'its output is above' });
    process.stdout.write(`${stdout}${stderr}`);
  }
  console.log(`${code === 0 ? 'passed' : 'FAILED'}, ${seconds(start)}`);
  return code === 0;
}

async function runVitest() {
  const start = performance.now();
  if (args.length > 0) await runTests('Tests (vitest)', args, 'inherit');
  else {
    for (const projects of wholeRun) {
      await Promise.all(
        // The output of the first is seen as it comes, that of what runs beside it afterwards.
        projects.map((project, index) =>
          runTests(`Tests (${project})`, ['--project', project], index === 0 ? 'inherit' : 'pipe'),
        ),
      );
    }
  }
  const isShortForm = faults && !full && chosen.length === 0;
  if (isShortForm && performance.now() - start > shortFormMinutes * 60_000) {
    const reason = `The short form may take ${shortFormMinutes} minutes.`;
    total.failed.push({ name: 'npm run test:faults', reason });
  }
}

/**
 * @param {string} title
 * @param {readonly string[]} vitestArgs
 * @param {'pipe' | 'inherit'} output
 */
async function runTests(title, vitestArgs, output) {
  const start = performance.now();
  if (output === 'inherit') heading(title);
  const tallyFile = join(temporary, `${title.replace('*', '')}.json`);
  const reporters = ['default', './scripts/tally-reporter.mjs', './scripts/figures-reporter.mjs'];
  const flags = reporters.map((reporter) => `--reporter=${reporter}`);
  const child = launch('vitest', ['run', ...flags, ...vitestArgs], output, {
    TALLY_FILE: tallyFile,
    TEST_FORM: full ? 'full' : 'short',
    // A run of all tests leaves the page as it is.
    ...(faults && { FIGURES_FILE: join(root, 'docs', 'reliability.md') }),
  });
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'close'),
    child.stdout ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
  ]);
  if (output === 'pipe') {
    heading(title);
    process.stdout.write(`${stdout}${stderr}`);
  }
  console.log(`${code === 0 ? 'passed' : 'FAILED'}, ${seconds(start)}`);
  /** @type {Tally} */
  const tally = readTally(tallyFile);
  // It may fail without a failed test: no test found, or a broken global set-up.
  if (code !== 0 && tally.failed.length === 0) {
    tally.failed.push({ name: title, reason: 'vitest failed; its output is above' });
  }
  // Here too, beside what ran: a run may be ended before it comes to its end.
  list('Failed', tally.failed);
  total.passed += tally.passed;
  total.failed.push(...tally.failed);
  total.skipped.push(...tally.skipped);
}

/**
 * @param {string} file
 * @returns {Tally}
 */
function readTally(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: [], skipped: [] };
  }
}

/**
 * @param {string} program
 * @param {readonly string[]} programArgs
 * @param {'pipe' | 'inherit'} output
 * @param {Record<string, string>} [environment]
 */
function launch(program, programArgs, output, environment = {}) {
  const script = programOfPackage(program);
  return spawn(script ? process.execPath : program, [...(script ? [script] : []), ...programArgs], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', output, output],
    shell: program.endsWith('.cmd'),
  });
}

/**
 * The script behind a program that a package brings. Started by Node itself: on Windows the one in
 * `.bin` is for a shell.
 *
 * @param {string} program
 * @returns {string | undefined}
 */
function programOfPackage(program) {
  const packageName = packagesOfPrograms[program];
  if (packageName === undefined) return undefined;
  const directory = join(root, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  return join(directory, typeof bin === 'string' ? bin : bin[program]);
}

/**
 * @param {string} title
 * @param {readonly NotPassed[]} tests
 */
function list(title, tests) {
  if (tests.length > 0) console.log(`\n${title}:`);
  for (const { name, reason } of tests) console.log(`- ${name} (${reason})`);
}

/** @param {string} title */
function heading(title) {
  console.log(`\n── ${title}`);
}

/** @param {number} start */
function seconds(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
