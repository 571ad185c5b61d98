/** Kafka's jars and the stack's own Java programs, fetched and compiled once into the checkout's `.cache`. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMissingProgram, runToEnd } from './child-output.ts';

const stackDirectory = fileURLToPath(new URL('.', import.meta.url));
const cacheDirectory = fileURLToPath(new URL('../.cache', import.meta.url));

/** Kafka 4's broker needs Java 17. https://kafka.apache.org/43/getting-started/compatibility/ */
const oldestJava = 17;

/** Java or Maven is missing or too old. The message is one line that says how to get it. */
export class MissingToolError extends Error {
  override readonly name = 'MissingToolError';
}

/** Path of one of the JDK's programs: of `JAVA_HOME` where that is set, else as `PATH` finds it. */
export function jdkProgram(name: 'java' | 'javac'): string {
  const home = process.env['JAVA_HOME'];
  return home ? join(home, 'bin', name) : name;
}

/**
 * Class path with Kafka, its tools and the programs of `stack/java`. The first call in a checkout
 * downloads about 46 MB with Maven; several processes may ask at once.
 *
 * @throws MissingToolError where there is no JDK 17 or later, or no Maven while the jars are not there yet.
 */
export async function javaClassPath(
  onProgress: (line: string) => void = () => {},
): Promise<string> {
  const pom = await readFile(join(stackDirectory, 'pom.xml'));
  const sources = await javaSources();
  const jars = join(cacheDirectory, `jars-${digest([pom])}`);
  const classes = join(cacheDirectory, `classes-${digest([pom, ...sources.contents])}`);
  if (!existsSync(jars)) {
    await requireMaven();
    await requireJava('javac');
    onProgress('Fetching Kafka and its libraries with Maven (about 46 MB, once for this checkout)');
    await make(jars, fetchJars);
  }
  if (!existsSync(classes)) {
    await requireJava('javac');
    onProgress("Compiling the stack's Java programs");
    await make(classes, (directory) => compile(sources.files, jars, directory));
  }
  return [join(jars, '*'), classes].join(delimiter);
}

async function javaSources(): Promise<{ files: string[]; contents: Buffer[] }> {
  const directory = join(stackDirectory, 'java');
  const names = (await readdir(directory)).filter((name) => name.endsWith('.java')).sort();
  const files = names.map((name) => join(directory, name));
  return { files, contents: await Promise.all(files.map((file) => readFile(file))) };
}

function digest(parts: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 12);
}

/** Fills a directory beside its place and renames it there, so that nobody ever sees half of it. */
async function make(place: string, fill: (directory: string) => Promise<void>): Promise<void> {
  await mkdir(cacheDirectory, { recursive: true });
  const directory = await mkdtemp(join(cacheDirectory, 'unfinished-'));
  try {
    await fill(directory);
    await rename(directory, place);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    // Another process made it meanwhile: a directory cannot be renamed onto a full one.
    if (!existsSync(place)) throw error;
  }
}

async function fetchJars(directory: string): Promise<void> {
  const maven = await runTool('mvn', 'Maven', [
    '--batch-mode',
    '--quiet',
    `--file=${join(stackDirectory, 'pom.xml')}`,
    'dependency:copy-dependencies',
    '-DincludeScope=runtime',
    `-DoutputDirectory=${directory}`,
  ]);
  if (maven.code !== 0) {
    throw new Error(`Maven could not fetch Kafka's jars:\n${maven.stdout}${maven.stderr}`);
  }
}

async function compile(files: readonly string[], jars: string, directory: string): Promise<void> {
  const options = ['-cp', join(jars, '*'), '-d', directory];
  const javac = await runTool(jdkProgram('javac'), 'a JDK', [...options, ...files]);
  if (javac.code !== 0) {
    throw new Error(`The stack's Java programs do not compile:\n${javac.stdout}${javac.stderr}`);
  }
}

/**
 * @param program `javac` where something is to be compiled: Debian's runtime alone has none.
 * @throws MissingToolError where it is not there, or older than Java 17.
 */
export async function requireJava(program: 'java' | 'javac' = 'java'): Promise<void> {
  const { stdout, stderr } = await runTool(jdkProgram(program), 'a JDK', ['-version']);
  // `javac 17.0.15`, `openjdk version "17.0.15" 2025-04-15`
  const version = /(?:javac |version ")(\d+)/.exec(stdout + stderr)?.[1];
  if (version === undefined || Number(version) < oldestJava) {
    const found = version === undefined ? 'one of unknown version' : `version ${version}`;
    throw new MissingToolError(
      `The local Kafka needs a JDK ${oldestJava} or later; ${jdkProgram(program)} is ${found}. ${howToGet}`,
    );
  }
}

async function requireMaven(): Promise<void> {
  await runTool('mvn', 'Maven', ['--version']);
}

const howToGet =
  'Debian and Ubuntu: sudo apt install default-jdk-headless maven. macOS: brew install openjdk maven, and follow what brew says about PATH. Elsewhere: the package manager has both, as JDK and Maven.';

/** The error for a program that is not there. */
export function missingTool(what: string): MissingToolError {
  return new MissingToolError(`The local Kafka needs ${what}, which was not found. ${howToGet}`);
}

async function runTool(
  program: string,
  what: string,
  args: readonly string[],
): ReturnType<typeof runToEnd> {
  try {
    return await runToEnd(program, args);
  } catch (error) {
    throw isMissingProgram(error) ? missingTool(what) : error;
  }
}
