/** One Kafka broker as a process: started, stopped, killed, frozen. */

import { mkdir, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jdkProgram } from './jars.ts';
import { type LeashedProcess, startLeashed } from './leashed-process.ts';
import { endOfLog, waitForLine } from './log-watch.ts';
import { formatProperties, type Listener } from './server-properties.ts';

/** Written once a broker serves. `KafkaRaftServer.startup` in Kafka's source. */
const startedMessage = 'Kafka Server started';

/** How long a start may take on a busy machine before it counts as failed, in milliseconds. */
const startTimeoutMs = 120_000;

/** How long a broker may take to hand its partitions over and flush before it is killed, in milliseconds. */
const stopTimeoutMs = 60_000;

/** A broker of the stack. Its ports and its data stay the same across stops and starts. */
export interface Broker {
  readonly id: number;
  /** Process id of the JVM. @throws Error where the broker does not run. */
  readonly pid: number;
  readonly running: boolean;
  /** Everything that the broker logged, over all its starts. */
  readonly logFile: string;
  readonly dataDirectory: string;
  /** `host:port` as clients are told. */
  readonly addresses: Readonly<Record<Listener, string>>;
  /** Answers when the broker serves. Does nothing where it runs. */
  start(): Promise<void>;
  /** SIGTERM: leaders are handed over, files flushed. Answers when the process has ended. */
  stop(): Promise<void>;
  /** SIGKILL. Answers when the process has ended. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open, and nothing answers. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
}

/** What a broker is made from. */
export interface BrokerSettings {
  readonly id: number;
  readonly clusterId: string;
  /** For properties, log and data. */
  readonly directory: string;
  readonly dataDirectory: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly addresses: Readonly<Record<Listener, string>>;
  readonly scramCredentials: readonly string[];
  readonly classPath: string;
  readonly javaOptions: readonly string[];
}

/** Writes the broker's files; `start` starts it. */
export async function createBroker(settings: BrokerSettings): Promise<Broker> {
  const { id, directory, dataDirectory } = settings;
  await mkdir(dataDirectory, { recursive: true });
  const propertiesFile = join(directory, 'server.properties');
  const logFile = join(directory, 'broker.log');
  await writeFile(propertiesFile, formatProperties(settings.properties));
  await writeFile(logFile, '');
  const args = [
    ...settings.javaOptions,
    '-cp',
    settings.classPath,
    'StartBroker',
    propertiesFile,
    dataDirectory,
    settings.clusterId,
    ...settings.scramCredentials,
  ];
  let jvm: LeashedProcess | undefined;

  const launch = async (): Promise<LeashedProcess> => {
    const log = await open(logFile, 'a');
    try {
      return await startLeashed(jdkProgram('java'), args, log.fd);
    } finally {
      await log.close();
    }
  };

  return {
    id,
    logFile,
    dataDirectory,
    addresses: settings.addresses,
    get running() {
      return jvm !== undefined;
    },
    get pid() {
      return running(jvm, id).pid;
    },
    async start() {
      if (jvm) return;
      const { size } = await stat(logFile);
      const launched = await launch();
      jvm = launched;
      const given = new AbortController();
      const ended = launched.ended.then((code) => {
        jvm = undefined;
        given.abort();
        return code;
      });
      const timer = setTimeout(() => given.abort(), startTimeoutMs);
      const started = await waitForLine(logFile, size, startedMessage, given.signal);
      clearTimeout(timer);
      if (started) return;
      signal(launched.pid, 'SIGKILL');
      const code = await ended;
      throw new Error(
        `Broker ${id} did not start (exit code ${code}). Its log ends with:\n${await endOfLog(logFile, size)}`,
      );
    },
    async stop() {
      if (!jvm) return;
      const { pid, ended } = jvm;
      signal(pid, 'SIGTERM');
      signal(pid, 'SIGCONT');
      const timer = setTimeout(() => signal(pid, 'SIGKILL'), stopTimeoutMs);
      await ended;
      clearTimeout(timer);
      jvm = undefined;
    },
    async kill() {
      if (!jvm) return;
      signal(jvm.pid, 'SIGKILL');
      await jvm.ended;
      jvm = undefined;
    },
    freeze() {
      signal(running(jvm, id).pid, 'SIGSTOP');
    },
    thaw() {
      signal(running(jvm, id).pid, 'SIGCONT');
    },
  };
}

function running(jvm: LeashedProcess | undefined, id: number): LeashedProcess {
  if (!jvm) throw new Error(`Broker ${id} does not run.`);
  return jvm;
}

/** Sends a signal to a process that may have ended just now. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
