import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../../../src/cli/exit-codes.ts';
import { exitCodeFor, inWords, type Summary } from '../../../../src/cli/ship/summary.ts';
import type { DiagnosticCode } from '../../../../src/diagnostics.ts';
import {
  AuthenticationError,
  BrokerError,
  ConnectionError,
  ServiceError,
} from '../../../../src/errors.ts';

const summary = (more: Partial<Summary> = {}): Summary => ({
  topic: 'app-logs',
  records: 1_200,
  bytes: 2_340_000,
  acknowledged: 1_200,
  possiblyRepeated: 0,
  deadLettered: 0,
  dropped: 0,
  unresolved: 0,
  seconds: 1.25,
  sourceId: null,
  unread: [],
  signal: null,
  ...more,
});

const failedService = (code: string, retriable: boolean): ServiceError =>
  new ServiceError(code, 'x', { status: null, retriable });

describe('the exit code', () => {
  const left = summary({ acknowledged: 0, unresolved: 1_200 });

  it('is 0 only where everything was read, and acknowledged', () => {
    expect(exitCodeFor(summary(), null)).toBe(0);
    expect(exitCodeFor(summary({ records: 0, acknowledged: 0 }), 'BROKER_UNREACHABLE')).toBe(0);
    expect(exitCodeFor(summary({ unread: ['there is no file a'] }), null)).toBe(1);
    for (const kind of ['deadLettered', 'dropped', 'unresolved'] as const) {
      expect(exitCodeFor(summary({ acknowledged: 1_199, [kind]: 1 }), null)).toBe(1);
    }
  });

  it('tells what kept records from their topic', () => {
    expect(exitCodeFor(left, 'BROKER_UNREACHABLE')).toBe(4);
    expect(exitCodeFor(left, 'TOPIC_WRITE_DENIED')).toBe(3);
    expect(exitCodeFor(left, 'SERVICE_KEY_REFUSED')).toBe(3);
    expect(exitCodeFor(left, 'TOPIC_UNKNOWN')).toBe(1);
    expect(exitCodeFor(left, null)).toBe(1);
    const dropped = summary({ acknowledged: 1_199, dropped: 1 });
    expect(exitCodeFor(dropped, 'BROKER_UNREACHABLE')).toBe(1);
  });

  it.each<[DiagnosticCode, 3 | 4, Error]>([
    ['SERVICE_UNAVAILABLE', 4, failedService('SERVICE_UNAVAILABLE', true)],
    // Such as a certificate that is not trusted: it is not reached all the same.
    ['SERVICE_UNAVAILABLE', 4, failedService('SERVICE_UNAVAILABLE', false)],
    ['SERVICE_REFUSED', 3, failedService('SERVICE_REFUSED', false)],
    ['TOKEN_MODULE_FAILED', 4, new AuthenticationError('TOKEN_MODULE_FAILED', 'x', true)],
    ['AWS_CREDENTIALS_FAILED', 4, new AuthenticationError('AWS_CREDENTIALS_FAILED', 'x', true)],
    ['TOKEN_REFUSED_BY_BROKER', 3, new AuthenticationError('TOKEN_REFUSED_BY_BROKER', 'x', false)],
    ['BROKER_NOT_TLS', 4, new ConnectionError('BROKER_NOT_TLS', 'x', false)],
    ['BROKER_WANTS_TLS', 4, new ConnectionError('BROKER_WANTS_TLS', 'x', false)],
    [
      'BROKER_CERTIFICATE_REFUSED',
      4,
      new ConnectionError('BROKER_CERTIFICATE_REFUSED', 'x', false),
    ],
    [
      'CLIENT_CERTIFICATE_REFUSED',
      3,
      new ConnectionError('CLIENT_CERTIFICATE_REFUSED', 'x', false),
    ],
    ['BROKER_TOO_OLD', 4, new ConnectionError('BROKER_TOO_OLD', 'x', false)],
    ['PROTOCOL_VIOLATION', 4, new ConnectionError('PROTOCOL_VIOLATION', 'x', true)],
    ['BROKER_THROTTLED', 4, new BrokerError('THROTTLING_QUOTA_EXCEEDED', 89, 'x', true)],
  ])('after %s is %i, as that of a command that ends with it', (trouble, code, error) => {
    expect(exitCodeFor(left, trouble)).toBe(code);
    expect(exitCodeOf(error)).toBe(code);
  });
});

describe('the last line', () => {
  it.each([
    [
      summary(),
      'diaspora-logger: 1,200 records (2.3 MB) shipped to topic app-logs in 1.3 s, all acknowledged.',
    ],
    [
      summary({ signal: 'SIGINT', possiblyRepeated: 3 }),
      'diaspora-logger: ended by SIGINT: 1,200 records (2.3 MB) shipped to topic app-logs in 1.3 s, all acknowledged. 3 of them may be stored twice.',
    ],
    [
      summary({ acknowledged: 1_000, unresolved: 100, deadLettered: 60, dropped: 40 }),
      'diaspora-logger: of 1,200 records (2.3 MB) for topic app-logs, 1,000 acknowledged, 100 not delivered, 60 in the dead letters, 40 dropped, in 1.3 s.',
    ],
  ])('%#', (given, words) => {
    expect(inWords(given)).toBe(words);
  });
});
