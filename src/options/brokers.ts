/** Addresses of brokers. */
import { ConfigurationError } from '../errors.ts';
import { nonEmpty } from './environment.ts';
import { refusal } from './refusal.ts';
import type { Environment } from './types.ts';

/** Where a broker listens; `port` from 1 to 65,535. */
interface Address {
  readonly host: string;
  readonly port: number;
}

/** Empty where neither option nor environment says anything and `mayBeMissing`. Throws `ConfigurationError`. */
export function resolveBrokers(
  given: string | readonly string[] | undefined,
  env: Environment,
  mayBeMissing: boolean,
): Address[] {
  const entries = entriesOf(given ?? nonEmpty(env['DIASPORA_BOOTSTRAP']) ?? []);
  if (entries.length === 0 && !mayBeMissing) {
    throw new ConfigurationError(
      'No broker: set the option "bootstrapBrokers" or the environment variable DIASPORA_BOOTSTRAP to host:port.',
      'bootstrapBrokers',
    );
  }
  return entries.map((entry) => {
    const address = addressOf(entry);
    if (address !== null) return address;
    throw refusal(
      given === undefined ? 'DIASPORA_BOOTSTRAP' : 'bootstrapBrokers',
      '"host:port", several by comma or as an array',
      entry,
    );
  });
}

/** `host:port`, several by comma, as somebody else names them: entries that are none are left out. */
export function parseBrokers(text: string): Address[] {
  return entriesOf(text)
    .map(addressOf)
    .filter((address) => address !== null);
}

function entriesOf(source: string | readonly string[]): string[] {
  return (typeof source === 'string' ? source.split(',') : source)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

function addressOf(entry: string): Address | null {
  const match = /^(?:\[([\da-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(entry);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port };
}
