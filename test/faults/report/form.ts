/** The suite's two forms: all that is promised, and what fits into a run of all tests. */

/** Set by `npm run test:faults -- --full`. */
const full = process.env['FAULTS_FORM'] === 'full';

/** What holds for the form that runs. */
export function inForm<T>(forms: { readonly full: T; readonly short: T }): T {
  return full ? forms.full : forms.short;
}
