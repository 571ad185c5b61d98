/** A Java client that signs in to Kafka by AWS's own library, as its users run it. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { javaClassPath, jdkProgram } from '../../stack/jars.ts';

const run = promisify(execFile);
const pom = fileURLToPath(new URL('msk-iam-pom.xml', import.meta.url));
const cacheDirectory = fileURLToPath(new URL('../../.cache/', import.meta.url));

/**
 * Writes records to the topic and reads them back, with nothing of this process's environment but PATH. The first call in a
 * checkout downloads about 14 MB with Maven. Throws an error with the client's stack trace where it cannot.
 */
export async function produceAndConsumeByAws(
  propertiesFile: string,
  topic: string,
  { count, env }: { readonly count: number; readonly env: Readonly<Record<string, string>> },
): Promise<void> {
  const jars = await fetchJars();
  const classPath = [await javaClassPath(), join(jars, '*')].join(delimiter);
  const args = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classPath];
  await run(jdkProgram('java'), [...args, 'ProduceConsume', propertiesFile, topic, String(count)], {
    env: { PATH: process.env['PATH'], ...env },
  });
}

async function fetchJars(): Promise<string> {
  const digest = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex');
  const jars = join(cacheDirectory, `msk-iam-${digest.slice(0, 12)}`);
  if (existsSync(jars)) return jars;
  await mkdir(cacheDirectory, { recursive: true });
  const unfinished = await mkdtemp(join(cacheDirectory, 'unfinished-'));
  try {
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime'];
    const flags = ['--batch-mode', '--quiet', `--file=${pom}`];
    await run('mvn', [...flags, ...goal, `-DoutputDirectory=${unfinished}`]);
    await rename(unfinished, jars);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Somebody else was faster: theirs is as good.
    if (!existsSync(jars)) throw error;
  }
  return jars;
}
