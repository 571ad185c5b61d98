import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../../src/errors.ts';
import { brokerError, brokerErrorInfo } from '../../../src/wire/error-table.ts';

describe('error table', () => {
  it.each([
    [-1, 'UNKNOWN_SERVER_ERROR', false, false],
    [0, 'NONE', false, false],
    [3, 'UNKNOWN_TOPIC_OR_PARTITION', true, true],
    [6, 'NOT_LEADER_OR_FOLLOWER', true, true],
    [10, 'MESSAGE_TOO_LARGE', false, false],
    [14, 'COORDINATOR_LOAD_IN_PROGRESS', true, false],
    [19, 'NOT_ENOUGH_REPLICAS', true, false],
    [29, 'TOPIC_AUTHORIZATION_FAILED', false, false],
    [45, 'OUT_OF_ORDER_SEQUENCE_NUMBER', false, false],
    [56, 'KAFKA_STORAGE_ERROR', true, true],
    [100, 'UNKNOWN_TOPIC_ID', true, true],
    [133, 'SHARE_SESSION_LIMIT_REACHED', true, false],
    [134, 'UNKNOWN_ERROR_CODE', false, false],
  ])('knows %i as %s', (errorCode, code, retriable, staleMetadata) => {
    expect(brokerErrorInfo(errorCode)).toEqual({ code, retriable, staleMetadata });
  });

  it('makes an error that says what was tried', () => {
    const error = brokerError(6, 'Produce to logs-0');
    expect(error).toBeInstanceOf(BrokerError);
    expect(error.message).toBe('Produce to logs-0: NOT_LEADER_OR_FOLLOWER (6).');
    expect(error).toMatchObject({ code: 'NOT_LEADER_OR_FOLLOWER', errorCode: 6, retriable: true });
  });
});
