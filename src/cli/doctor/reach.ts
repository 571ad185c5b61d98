/** From a broker's name to an open connection: name resolution and TCP, for each bootstrap broker. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { performance } from 'node:perf_hooks';
import { socketFault } from '../../broker-faults.ts';
import { ConnectionError, systemErrorCode } from '../../errors.ts';
import { addressText, type BrokerAddress } from '../../wire/broker-address.ts';
import { openSocket } from '../../wire/open-socket.ts';
import { OpenSockets } from '../../wire/open-sockets.ts';
import type { Note } from './advice.ts';
import { type Finding, failure, ok, warning } from './examination.ts';

/** Deadline of TCP and of TLS with one broker, in milliseconds. */
export const phaseTimeoutMs = 5_000;

/**
 * What is found of each broker: all well; a warning where some cannot be used, since any other will do; failed where none can. The value is those that
 * can be used.
 */
export async function eachBroker(
  brokers: readonly BrokerAddress[],
  look: (broker: BrokerAddress) => Promise<string | Note>,
): Promise<Finding<readonly BrokerAddress[]>> {
  const found = await Promise.allSettled(brokers.map(look));
  const usable = brokers.filter((_, index) => found[index]?.status === 'fulfilled');
  const good = found.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const errors = found.flatMap((one): unknown[] => (one.status === 'rejected' ? [one.reason] : []));
  const [first, ...others] = errors;
  if (errors.length === 0) return ok(usable, ...good);
  const notes = others.flatMap((error) => failure(error).notes);
  const failed = failure(first, ...notes);
  return usable.length === 0 ? failed : warning(usable, ...good, ...failed.notes);
}

export function examineNames(
  brokers: readonly BrokerAddress[],
): Promise<Finding<readonly BrokerAddress[]>> {
  return eachBroker(brokers, async (broker) => {
    const { host } = broker;
    if (isIP(host) !== 0) return `${host} is an address`;
    try {
      const found = await lookup(host, { all: true });
      return `${host} → ${found.map(({ address }) => address).join(', ')}`;
    } catch (error) {
      const name = `broker ${addressText(broker)}`;
      const fault = socketFault(name, systemErrorCode(error) ?? '', '');
      throw fault === null ? error : new ConnectionError(fault.code, fault.message, false);
    }
  });
}

export function examineTcp(
  brokers: readonly BrokerAddress[],
  signal: AbortSignal,
): Promise<Finding<readonly BrokerAddress[]>> {
  return eachBroker(brokers, async (broker) => {
    const startedAt = performance.now();
    const socket = await openSocket({
      broker,
      tls: null,
      timeoutMs: phaseTimeoutMs,
      sockets: new OpenSockets(),
      signal,
    });
    const ms = performance.now() - startedAt;
    const address = socket.remoteAddress ?? broker.host;
    socket.destroy();
    return `${addressText(broker)} answers at ${address} in ${ms.toFixed(1)} ms`;
  });
}
