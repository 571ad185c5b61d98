/** The two forms of tests that take long: all that is promised, and what fits into a run of all tests. */

/** Set by `--full`: see scripts/test.mjs. */
const full = process.env['TEST_FORM'] === 'full';

/** What holds for the form that runs. */
export function inForm<T>(forms: { readonly full: T; readonly short: T }): T {
  return full ? forms.full : forms.short;
}
