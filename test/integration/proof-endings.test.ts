import { beforeAll, describe, expect, it } from 'vitest';
import { auditTopic } from '../../stack/audit.ts';
import { inForm } from '../faults/report/form.ts';
import { inParallel } from '../support/in-parallel.ts';
import { buildPackage, type Ended, startApp } from './built-package.ts';
import { newTopic, recordsOf, signedInEnv } from './topic-content.ts';

/** Each run is a process of its own: `npm test -- --full test/integration/proof-endings.test.ts` has them all. */
const runs = inForm({ full: 50, short: 15 });
const app = 'test/support/apps/ending.mjs';

beforeAll(() => buildPackage());

interface Ending {
  readonly way: string;
  /** What is to be seen of the process from outside. */
  readonly end: Partial<Ended>;
  /** In each run. Default 100. */
  readonly records?: number;
  /** What the app's format makes of a record. Default: as Pino does. */
  readonly line?: (run: number, i: number) => string;
}

const byPino = (run: number, i: number): string =>
  `{"level":30,"run":${run},"i":${i},"text":"ä€😀","msg":"message"}`;

const endings: readonly Ending[] = [
  { way: 'flush, then SIGKILL', end: { signal: 'SIGKILL', stderr: '' } },
  { way: 'transport.end(), then SIGKILL', end: { signal: 'SIGKILL', stderr: '' } },
  { way: 'process.exit()', end: { code: 0, stderr: '' } },
  { way: 'uncaught exception', end: { code: 1 } },
  { way: 'natural end', end: { code: 0, stderr: '' } },
  { way: 'one record in the first tick', end: { code: 0, stderr: '' }, records: 1 },
  {
    way: "winston's finish, then process.exit()",
    end: { code: 0, stderr: '' },
    line: (run, i) => `{"run":${run},"i":${i},"text":"ä€😀"}`,
  },
];

describe(`An app that signs in by Globus loses nothing in any of ${runs} runs that end by`, () => {
  it.each(endings)('$way', async ({ way, end, records = 100, line = byPino }) => {
    const topic = await newTopic('endings');
    const env = await signedInEnv();
    const options = JSON.stringify({ topic, sourceHeaders: true });
    const each = Array.from({ length: runs }, (_, run) => run);
    const ends = await inParallel(2, each, (run) => {
      return startApp(app, [way, String(run), options], env).ended;
    });
    for (const one of ends) expect(one).toMatchObject(end);

    const found = await recordsOf(topic);
    const audit = await auditTopic(found);
    expect(audit).toMatchObject({ lost: [], repeated: [], reordered: [], unmarked: [] });
    expect([...audit.sources.values()]).toEqual(each.map(() => records));
    const numbers = Array.from({ length: records }, (_, i) => i);
    const lines = each.flatMap((run) => numbers.map((i) => line(run, i)));
    expect(found.map(({ value }) => String(value)).sort()).toEqual(lines.sort());
  });
});
