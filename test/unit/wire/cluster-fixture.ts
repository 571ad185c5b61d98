/** A cluster under test, what it said, and the clean-up of both. */
import { afterEach } from 'vitest';
import { type DiagnosticEvent, Diagnostics } from '../../../src/diagnostics.ts';
import { Cluster, type ClusterOptions } from '../../../src/wire/cluster.ts';
import { type Script, type ScriptedBroker, scriptedBroker } from './scripted-broker.ts';

const cleanUp: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(cleanUp.splice(0).map((run) => run()));
});

/** A broker that is closed after the test. */
export async function broker(
  script: Script,
  options: Parameters<typeof scriptedBroker>[1] = {},
): Promise<ScriptedBroker> {
  const started = await scriptedBroker(script, options);
  cleanUp.push(() => started.close());
  return started;
}

/** Runs after the test. */
export function cleanUpAfter(run: () => Promise<unknown>): void {
  cleanUp.push(run);
}

export interface Fixture {
  readonly cluster: Cluster;
  readonly events: DiagnosticEvent[];
  codes(): string[];
  /** Resolves at the first event with this code. */
  said(code: string): Promise<DiagnosticEvent>;
}

/** A cluster that is closed after the test: plain TCP and no sign-in, unless told. */
export function clusterOf(options: Partial<ClusterOptions>): Fixture {
  const events: DiagnosticEvent[] = [];
  const waiting = new Set<(event: DiagnosticEvent) => void>();
  const cluster = new Cluster({
    bootstrapBrokers: [],
    clientId: 'test',
    tls: null,
    signIn: null,
    requestTimeoutMs: 5_000,
    connectTimeoutMs: 2_000,
    diagnostics: new Diagnostics((event) => {
      events.push(event);
      for (const wake of waiting) wake(event);
    }),
    ...options,
  });
  cleanUp.push(() => cluster.close());
  return {
    cluster,
    events,
    codes: () => events.map(({ code }) => code),
    said: (code) =>
      new Promise((resolve) => {
        const look = (event: DiagnosticEvent): void => {
          if (event.code === code) resolve(event);
        };
        waiting.add(look);
        events.forEach(look);
      }),
  };
}

/** The error that a promise rejects with. */
export async function failure(
  promise: Promise<unknown>,
): Promise<Error & { code?: string; sent?: boolean }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('It did not fail.');
}
