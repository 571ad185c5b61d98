import { defineConfig } from 'vitest/config';

/** What users see: a project of its own, with a stack of its own, so that it can run beside the others. */
const usage = [
  'test/integration/{account-commands,audit,connection-command,doctor,ship,tail,wait-ready}.test.ts',
  'test/integration/{docs-*,examples,quickstart,readme}.test.ts',
  'test/packaging/**/*.test.ts',
];

/** Faults that hold nobody up whose time is measured. */
const together = [
  'test/faults/{fuzz,oracle}/*.test.ts',
  'test/faults/{clock,consumer,ship}.test.ts',
];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 180_000,
    // The default of a second is less than a busy machine may stall.
    expect: { poll: { timeout: 10_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/{integration,packaging,faults}/**'],
          // One a processor: by default one of them is left idle.
          maxWorkers: '100%',
        },
      },
      ...[
        {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: usage,
        },
        { name: 'usage', include: usage },
      ].map((files) => ({
        extends: true as const,
        test: {
          ...files,
          // One stack for all files of a run; see test/shared-stack.ts.
          globalSetup: ['test/global-setup.ts'],
          testTimeout: 120_000,
          // kafkajs, by which tests administer the cluster, sets timers in the past.
          execArgv: ['--disable-warning=TimeoutNegativeWarning'],
          // Each file may start brokers of its own, which want half a gigabyte each.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      })),
      ...[
        // Each file has brokers of its own, to stop and freeze, and may measure what holds an app up.
        { name: 'faults', exclude: together, maxWorkers: 1, sequence: { groupOrder: 2 } },
        { name: 'faults-together', include: together, maxWorkers: 3, sequence: { groupOrder: 3 } },
      ].map((files) => ({
        extends: true as const,
        test: {
          include: ['test/faults/**/*.test.ts'],
          ...files,
          setupFiles: ['test/faults/oracle/secret-watch.ts'],
          // The full form has outages of a minute; see test/faults/report/form.ts.
          testTimeout: 600_000,
          execArgv: ['--disable-warning=TimeoutNegativeWarning'],
        },
      })),
    ],
  },
});
