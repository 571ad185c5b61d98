/** Runs Java programs: Kafka's own tools, and those of `stack/java`. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { type Finished, isMissingProgram } from './child-output.ts';
import { javaClassPath, jdkProgram, missingTool } from './jars.ts';

/** Short-lived programs: start-up counts, so no optimising compiler and no collector with threads of its own. */
const toolOptions = [
  '-XX:TieredStopAtLevel=1',
  '-XX:+UseSerialGC',
  '-Xmx512m',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
];

/** How a Java program is run. */
export interface JavaRun {
  /** What it reads on stdin. Default: nothing. */
  readonly input?: Buffer | string;
  /** Options of the JVM, such as `-Dname=value`. */
  readonly javaOptions?: readonly string[];
}

/** Starts a Java program of the class path that `javaClassPath` answers. */
export async function spawnJava(
  className: string,
  args: readonly string[],
  javaOptions: readonly string[] = [],
): Promise<ChildProcessWithoutNullStreams> {
  const classPath = await javaClassPath();
  const all = [...toolOptions, ...javaOptions, '-cp', classPath, className, ...args];
  return spawn(jdkProgram('java'), all, { stdio: 'pipe' });
}

/**
 * Runs one of Kafka's tools, such as `org.apache.kafka.tools.DumpLogSegments`, or a program of
 * `stack/java`, to its end.
 *
 * @throws Error with what the tool wrote, where it ends with another code than 0.
 */
export async function runKafkaTool(
  className: string,
  args: readonly string[],
  run: JavaRun = {},
): Promise<Finished> {
  const { stdout, ...rest } = await runJava(className, args, run);
  return { ...rest, stdout: stdout.toString() };
}

async function runJava(
  className: string,
  args: readonly string[],
  { input = '', javaOptions = [] }: JavaRun,
): Promise<{ code: number | null; stdout: Buffer; stderr: string }> {
  const child = await spawnJava(className, args, javaOptions);
  const ended = once(child, 'close').catch((error: unknown) => {
    throw isMissingProgram(error) ? missingTool('a JDK') : error;
  });
  // A program that ends without reading all of its input breaks the pipe; its exit code says why.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [, stdout, stderr] = await Promise.all([ended, collect(child.stdout), text(child.stderr)]);
  const code = child.exitCode;
  if (code !== 0) {
    throw new Error(`${className} ended with ${code ?? child.signalCode}:\n${stdout}${stderr}`);
  }
  return { code, stdout, stderr };
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What Kafka's own `Utils.murmur2` and `Utils.toPositive` make of each key. */
export async function kafkaMurmur2(
  keys: readonly Buffer[],
): Promise<{ readonly hash: number; readonly positive: number }[]> {
  const input = keys.flatMap((key) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(key.length);
    return [length, key];
  });
  const { stdout } = await runJava('Murmur2', [], { input: Buffer.concat(input) });
  return keys.map((_, index) => ({
    hash: stdout.readInt32BE(index * 8),
    positive: stdout.readInt32BE(index * 8 + 4),
  }));
}

/**
 * Proves that a Java client can use a properties file: writes `count` records to the topic and
 * reads them back.
 *
 * @throws Error with the client's stack trace where it cannot.
 */
export async function produceAndConsumeInJava(
  propertiesFile: string,
  topic: string,
  options: { readonly count?: number; readonly javaOptions?: readonly string[] } = {},
): Promise<void> {
  const { count = 10, javaOptions = [] } = options;
  await runKafkaTool('ProduceConsume', [propertiesFile, topic, String(count)], { javaOptions });
}
