/** A process as it is in a container, without one: see apps/container.sh. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Ended, startApp } from './built-package.ts';

export interface Mount {
  readonly source: string;
  readonly target: string;
  /** Default false. */
  readonly writable?: boolean;
}

export interface ContainerOptions {
  /** The first is looked for where the Node is that runs the tests, then where every system has its programs. */
  readonly command: readonly string[];
  readonly directory: string;
  /** Nothing else is in the environment, but PATH. */
  readonly env: Readonly<Record<string, string>>;
  readonly mounts?: readonly Mount[];
}

export interface Container {
  readonly ended: Promise<Ended>;
  /** Resolves when it has written this to stdout; rejects when it ends before. */
  said(words: string): Promise<void>;
  /** The same for stderr. */
  complained(words: string): Promise<void>;
  /** To process 1 from outside, as a container's runtime does. */
  kill(signal: NodeJS.Signals): void;
}

/** Whether this kernel lets this user make namespaces. */
export const hasNamespaces: boolean =
  spawnSync('unshare', ['--user', '--map-root-user', '--mount', '--pid', '--fork', 'true'])
    .status === 0;

export function startContainer(options: ContainerOptions): Container {
  const { command, directory, env, mounts = [] } = options;
  const path = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
  const args = [
    directory,
    ...mounts.map(
      ({ source, target, writable }) => `${source}:${target}:${writable ? 'rw' : 'ro'}`,
    ),
    '--',
    `PATH=${path}`,
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ...command,
  ];
  const app = startApp('test/integration/apps/container.sh', args, {}, '/bin/sh');
  return {
    ended: app.ended,
    said: (words) => app.said(words),
    complained: (words) => app.complained(words),
    kill: (signal) => void process.kill(firstChild(app.pid), signal),
  };
}

/** Process 1 of the namespace, by its number outside: the only child of `unshare`. */
function firstChild(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}
