import { describe, expect, it } from 'vitest';
import { LastingFailures } from '../../../src/wire/lasting-failures.ts';

const one = { host: 'one', port: 9092 };
const other = { host: 'other', port: 9092 };

describe('a failure is worth saying', () => {
  it('from the third in a row of one broker on', () => {
    const failures = new LastingFailures(() => 0);
    const said = [one, one, other, one, one].map((broker) =>
      failures.failed(broker, 'CONNECTION_LOST', 0),
    );
    expect(said).toEqual([false, false, false, true, true]);
  });

  it('when three seconds have passed since the first, or in waiting for it', () => {
    let now = 0;
    const failures = new LastingFailures(() => now);
    expect(failures.failed(one, 'BROKER_UNREACHABLE', 0)).toBe(false);
    now = 3_000;
    expect(failures.failed(one, 'BROKER_UNREACHABLE', 0)).toBe(true);
    expect(failures.failed(other, 'REQUEST_TIMED_OUT', 2_999)).toBe(false);
    failures.answered(other);
    expect(failures.failed(other, 'REQUEST_TIMED_OUT', 3_000)).toBe(true);
  });

  it('not after an answer in between, nor after a minute in which nobody asked', () => {
    let now = 0;
    const failures = new LastingFailures(() => now);
    failures.failed(one, 'CONNECTION_LOST', 0);
    failures.failed(one, 'CONNECTION_LOST', 0);
    failures.answered(one);
    expect(failures.failed(one, 'CONNECTION_LOST', 0)).toBe(false);
    now = 60_001;
    expect(failures.failed(one, 'CONNECTION_LOST', 0)).toBe(false);
  });

  it.each([
    'BROKER_CERTIFICATE_REFUSED',
    'CLIENT_CERTIFICATE_REFUSED',
    'BROKER_NOT_TLS',
    'BROKER_WANTS_TLS',
    'SIGN_IN_REFUSED',
    'TOKEN_REFUSED_BY_BROKER',
    'BROKER_TOO_OLD',
    'PROTOCOL_VIOLATION',
  ] as const)('at once where it takes a person to mend it: %s', (code) => {
    expect(new LastingFailures().failed(one, code, 0)).toBe(true);
  });
});
