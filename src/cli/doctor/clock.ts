/** This machine's clock, against those of Globus Auth, the service and the brokers. */
import { performance } from 'node:perf_hooks';
import { sendRequest } from '../../auth/https-request.ts';
import { ConnectionError } from '../../errors.ts';
import type { Environment, ResolvedConnection } from '../../options.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Note } from './advice.ts';
import { type Finding, ok, skipped, warning } from './examination.ts';
import type { RoundTrip } from './round-trip.ts';
import { globusOf, lifeText } from './token.ts';

/** A header "Date" has whole seconds (RFC 9110 section 5.6.7): half of one is lost on average. */
const halfSecondMs = 500;

/** Beyond this a clock is worth a word, and beyond that wrong, in milliseconds. AWS refuses signatures that are five minutes off. */
const warnMs = 5_000;
const wrongMs = 5 * 60_000;

const requestTimeoutMs = 4_000;

/** How far somebody's clock is ahead of this one. */
export interface Skew {
  readonly whose: string;
  /** Milliseconds. */
  readonly aheadMs: number;
}

/** Those who tell the time, asked or remembered. */
export async function examineClock(
  options: ResolvedConnection,
  trip: RoundTrip | null,
  env: Environment,
): Promise<Finding<true>> {
  const urls = [
    ...(globusOf(options) === null ? [] : [['Globus Auth', globusOf(options)?.issuer] as const]),
    ...(options.auth.type === 'diaspora'
      ? [['the service', options.auth.serviceUrl] as const]
      : []),
  ];
  const asked = await Promise.all(
    urls.map(([whose, url = '']) => askTime(whose, new URL(url), env).catch(() => null)),
  );
  const broker = trip?.brokerAheadMs ?? null;
  const skews = [
    ...asked.filter((skew) => skew !== null),
    ...(broker === null ? [] : [{ whose: 'the broker', aheadMs: broker }]),
  ];
  return judgeClock(skews, trip?.timeRefused ?? false);
}

export function judgeClock(skews: readonly Skew[], timeRefused: boolean): Finding<true> {
  const refused: Note[] = timeRefused
    ? [{ text: 'the broker refused the time of this clock as too far ahead' }]
    : [];
  if (skews.length === 0 && !timeRefused) {
    return skipped(
      'nobody tells the time: neither Globus Auth nor the topic, which keeps the times of its writers',
    );
  }
  const most = Math.max(0, ...skews.map(({ aheadMs }) => Math.abs(aheadMs)));
  const notes = [...skews.map((skew) => ({ text: skewText(skew) })), ...refused];
  if (most <= warnMs && !timeRefused) return ok(true, ...notes);
  const advice = "Set this machine's clock (chrony, systemd-timesyncd, or that of its host).";
  const told = notes.map((note, index) => (index === 0 ? { ...note, advice } : note));
  return most <= wrongMs && !timeRefused
    ? warning(true, ...told)
    : { status: 'failed', notes: told, exitStatus: exitCodes.failed };
}

function skewText({ whose, aheadMs }: Skew): string {
  const off = Math.abs(aheadMs);
  if (off < 2 * halfSecondMs) return `as ${whose} has it`;
  return `${lifeText(off)} ${aheadMs > 0 ? 'behind' : 'ahead of'} ${whose}`;
}

async function askTime(whose: string, url: URL, env: Environment): Promise<Skew> {
  const startedAt = performance.now();
  const { headers } = await sendRequest({
    method: 'GET',
    url,
    timeoutMs: requestTimeoutMs,
    answerMaxBytes: 1_048_576,
    env,
  });
  const date = Date.parse(headers.date ?? '');
  if (Number.isNaN(date)) throw new ConnectionError('NO_DATE', `${whose} tells no time.`, true);
  const here = Date.now() - (performance.now() - startedAt) / 2;
  return { whose, aheadMs: date + halfSecondMs - here };
}
