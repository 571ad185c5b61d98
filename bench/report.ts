/** The figures as tables, and which of them miss their targets. */
import { arch, cpus, platform, release, totalmem } from 'node:os';
import Table from 'cli-table3';
import { appThread, type Comparison, type Contestant, comparisons, rate } from './contestants.ts';
import { ratios, type Spread, spread } from './statistics.ts';
import type { Measured } from './task.ts';
import { batchRecords, partitions } from './workload.ts';

/** A contestant, and what each round measured, in order. */
export type Figures = readonly {
  readonly contestant: Contestant;
  readonly measured: readonly Measured[];
}[];

export interface Conditions {
  readonly rounds: number;
  readonly records: number;
  readonly lineBytes: number;
}

export function report(figures: Figures, conditions: Conditions): string {
  const { rounds, records, lineBytes } = conditions;
  const [cpu] = cpus();
  const table = new Table({
    head: [
      'median (min to max)',
      'thousand records/s',
      'CPU, µs/record',
      'app thread, ns/record',
      'connecting, ms',
      'peak MiB',
    ],
    ...plainStyle,
  });
  for (const { contestant, measured } of figures) {
    const logCall = contestant.program === 'log-call';
    const column = (metric: (one: Measured) => number, digits: number): string =>
      text(spread(measured.map(metric)), digits);
    table.push([
      contestant.name,
      logCall ? '' : column(rate, 0),
      column(({ cpuMilliseconds, delivered }) => (cpuMilliseconds * 1e3) / delivered, 2),
      logCall ? column(appThread, 0) : '',
      column(({ connectMilliseconds }) => connectMilliseconds, 0),
      column(({ peakMiB }) => peakMiB, 0),
    ]);
  }
  const compared = new Table({
    head: ['ratio, round by round', 'median (min to max)', 'target'],
    ...plainStyle,
  });
  for (const { comparison, ratio } of ratiosOf(figures)) {
    compared.push([comparison.what, text(ratio, 2), targetText(comparison)]);
  }
  return [
    `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${platform()} ${release()} ${arch()}, ${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, broker and client on it`,
    `${rounds} rounds after one to warm up, ${records} records of ${lineBytes} bytes, batches of ${batchRecords}, ${partitions} partitions, TLS and OAUTHBEARER, acks=all, idempotent, all acknowledged`,
    table.toString(),
    compared.toString(),
  ].join('\n');
}

/** One line for each target that is missed. */
export function missedTargets(figures: Figures): string[] {
  return ratiosOf(figures).flatMap(({ comparison, ratio: { median } }) => {
    const {
      what,
      atLeast = Number.NEGATIVE_INFINITY,
      atMost = Number.POSITIVE_INFINITY,
    } = comparison;
    if (median >= atLeast && median <= atMost) return [];
    return [`${what}: ${median.toFixed(2)}, target ${targetText(comparison)}`];
  });
}

/** Those whose both sides have run. */
function ratiosOf(figures: Figures): { comparison: Comparison; ratio: Spread }[] {
  const measured = new Map(figures.map((entry) => [entry.contestant.name, entry.measured]));
  return comparisons.flatMap((comparison) => {
    const over = measured.get(comparison.over);
    const under = measured.get(comparison.under);
    if (!over || !under) return [];
    return [
      { comparison, ratio: ratios(over.map(comparison.metric), under.map(comparison.metric)) },
    ];
  });
}

function targetText({ atLeast, atMost }: Comparison): string {
  if (atLeast !== undefined) return `at least ${atLeast}`;
  return atMost === undefined ? '' : `at most ${atMost}`;
}

function text({ median, min, max }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;
}

const plainStyle = { style: { head: [], border: [], compact: true } };
