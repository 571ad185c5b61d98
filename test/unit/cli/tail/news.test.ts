import { expect, it, vi } from 'vitest';
import { type Ending, news } from '../../../../src/cli/tail/news.ts';

function said(end: Ending, quiet = false): string {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  news({ quiet }).ending({ read: 9, printed: 7 }, end);
  const text = write.mock.calls.join('');
  write.mockRestore();
  return text;
}

it('says of a group that it has committed what was printed only where all of it was taken', () => {
  const end = { hadEnough: false, isCommitted: true };
  expect(said({ ...end, isTaken: true })).toBe(
    'diaspora-logger: 9 records read, 7 printed. What was printed is committed.\n',
  );
  const left = 'What was taken is committed: the rest comes again.';
  expect(said({ ...end, isTaken: false })).toContain(
    `The last of it was not taken by whoever reads the output. ${left}`,
  );
  expect(said({ ...end, isTaken: false, hadEnough: true })).toBe(
    `diaspora-logger: 9 records read, 7 printed. ${left}\n`,
  );
});

it('is quiet about what somebody else knows, and not about what was lost on the way', () => {
  const end = { isTaken: false, isCommitted: null };
  expect(said({ ...end, hadEnough: true }, true)).toBe('');
  expect(said({ ...end, hadEnough: false }, true)).toContain('was not taken');
});
