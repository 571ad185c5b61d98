/** A vitest reporter that writes how many tests passed, failed and were skipped, and why, to the file that `TALLY_FILE` names. */
import { writeFileSync } from 'node:fs';

/** @import { TestCase, TestModule } from 'vitest/node' */
/** @import { Reporter } from 'vitest/reporters' */

/**
 * @typedef {object} Tally
 * @property {number} passed
 * @property {number} failed
 * @property {{ name: string, reason: string }[]} skipped
 */

/** @implements {Reporter} */
export default class TallyReporter {
  /**
   * @param {ReadonlyArray<TestModule>} modules
   * @param {ReadonlyArray<unknown>} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const file = process.env['TALLY_FILE'];
    if (!file) return;
    /** @type {Tally} */
    const tally = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      // A file that cannot be loaded, or a hook that fails, is a failure without a test.
      if (module.errors().length > 0) tally.failed += 1;
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) tally.failed += 1;
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
  if (result.state === 'passed') tally.passed += 1;
  else if (result.state === 'failed') tally.failed += 1;
  else {
    const name = `${test.module.relativeModuleId}: ${test.fullName}`;
    tally.skipped.push({ name, reason: reasonFor(test) });
  }
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
