/** A vitest reporter that writes how many tests passed, and which failed or were skipped, and why, to the file that `TALLY_FILE` names. */
import { writeFileSync } from 'node:fs';

/** @import { TestCase, TestModule } from 'vitest/node' */
/** @import { Reporter } from 'vitest/reporters' */

/**
 * @typedef {{ name: string, reason: string }} NotPassed
 * @typedef {object} Tally
 * @property {number} passed
 * @property {NotPassed[]} failed
 * @property {NotPassed[]} skipped
 */

/** @implements {Reporter} */
export default class TallyReporter {
  /**
   * @param {ReadonlyArray<TestModule>} modules
   * @param {ReadonlyArray<{ message: string }>} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const file = process.env['TALLY_FILE'];
    if (!file) return;
    /** @type {Tally} */
    const tally = { passed: 0, failed: [], skipped: [] };
    for (const error of unhandledErrors) {
      tally.failed.push({ name: 'Outside of tests', reason: reasonOf([error]) });
    }
    for (const module of modules) {
      const name = module.relativeModuleId;
      // A file that cannot be loaded, or a hook that fails, is a failure without a test.
      if (module.errors().length > 0) {
        tally.failed.push({ name, reason: reasonOf(module.errors()) });
      }
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length === 0) continue;
        tally.failed.push({
          name: `${name}: ${suite.fullName}`,
          reason: reasonOf(suite.errors()),
        });
      }
      for (const test of module.children.allTests()) count(test, tally);
    }
    writeFileSync(file, JSON.stringify(tally));
  }
}

/**
 * @param {TestCase} test
 * @param {Tally} tally
 */
function count(test, tally) {
  const result = test.result();
  const name = `${test.module.relativeModuleId}: ${test.fullName}`;
  if (result.state === 'passed') tally.passed += 1;
  else if (result.state === 'failed') {
    tally.failed.push({ name, reason: reasonOf(result.errors) });
  } else tally.skipped.push({ name, reason: reasonFor(test) });
}

/**
 * The first lines of each message: the whole is above, where the test ran.
 *
 * @param {ReadonlyArray<{ message: string }>} errors
 */
function reasonOf(errors) {
  return errors.map(({ message }) => message.slice(0, 300).trim()).join('; ');
}

/** @param {TestCase} test */
function reasonFor(test) {
  const result = test.result();
  if (result.state === 'skipped' && result.note) return result.note;
  for (let { parent } = test; ; { parent } = parent) {
    if (parent.errors().length > 0) return 'its set-up failed';
    if (parent.type === 'module') return 'no reason given';
  }
}
