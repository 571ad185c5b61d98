/**
 * Makes a checkout ready: checks the tools, installs the packages, builds. Plain Node, since it runs
 * before anything is installed. `node scripts/setup.mjs`, or `setUp()` from another script.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const oldestNode = [20, 19];
/** Kafka 4's brokers need it. https://kafka.apache.org/43/getting-started/compatibility/ */
const oldestJava = 17;
const onWindows = process.platform === 'win32';

/** Something that a person has to put right first. The message is one line a fault. */
export class SetupError extends Error {}

/**
 * @param {{ localKafka?: boolean }} [options] `localKafka`: ask for the JDK and Maven too, which the
 *   local stack needs. Default true.
 * @throws {SetupError} where a tool is missing, or a step fails.
 */
export function setUp({ localKafka = true } = {}) {
  requireTools(localKafka ? [nodeFault, jdkFault, mavenFault] : [nodeFault]);
  if (!packagesAreInstalled()) {
    step('Installing packages', onWindows ? 'npm.cmd' : 'npm', [
      'ci',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ]);
  }
  if (!buildIsFresh()) step('Building', process.execPath, [join(root, 'scripts', 'build.mjs')]);
}

/** @param {ReadonlyArray<() => string | undefined>} checks */
function requireTools(checks) {
  const faults = checks.map((check) => check()).filter((fault) => fault !== undefined);
  if (faults.length > 0) throw new SetupError(faults.join('\n'));
}

function nodeFault() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = oldestNode;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return undefined;
  return `Node ${oldestNode.join('.')} or newer is needed; this is ${process.versions.node}. See https://nodejs.org/en/download`;
}

/** A runtime alone has no compiler, which the stack's own Java programs need. */
function jdkFault() {
  const missing = ['java', 'javac'].filter((name) => javaVersion(name) === undefined);
  const howTo = howToGet('openjdk-17-jdk-headless', 'openjdk', 'any JDK 17 or newer');
  if (missing.length > 0) {
    return `A JDK (${oldestJava} or newer) is needed for the local Kafka: ${missing.join(' and ')} not found. ${howTo}`;
  }
  const version = javaVersion('javac');
  if (version === undefined || version >= oldestJava) return undefined;
  return `A JDK ${oldestJava} or newer is needed for the local Kafka; this is ${version}. ${howTo}`;
}

/**
 * @param {string} name
 * @returns {number | undefined}
 */
function javaVersion(name) {
  const home = process.env['JAVA_HOME'];
  const { stdout, stderr, error } = spawnSync(home ? join(home, 'bin', name) : name, ['-version'], {
    encoding: 'utf8',
  });
  // `openjdk version "17.0.15"`, `javac 17.0.15`; Java 8 calls itself 1.8.
  const version = /(?:version "|javac )(?:1\.)?(\d+)/.exec(`${stdout}${stderr}`)?.[1];
  return error || version === undefined ? undefined : Number(version);
}

/** Looked for rather than started: Maven takes half a second to say its version. */
function mavenFault() {
  const names = onWindows ? ['mvn.cmd', 'mvn.bat'] : ['mvn'];
  const places = (process.env['PATH'] ?? '').split(delimiter);
  if (places.some((place) => names.some((name) => existsSync(join(place, name))))) return undefined;
  const howTo = howToGet('maven', 'maven', 'https://maven.apache.org/install.html');
  return `Maven is needed to fetch the local Kafka: mvn not found. ${howTo}`;
}

/**
 * @param {string} apt
 * @param {string} brew
 * @param {string} elsewhere
 */
function howToGet(apt, brew, elsewhere) {
  return `Debian and Ubuntu: sudo apt-get install ${apt}. macOS: brew install ${brew}. Windows and others: ${elsewhere}.`;
}

/**
 * npm notes what it installed in `node_modules/.package-lock.json`. Compared by content: a checkout's
 * times say nothing, and npm writes the two files in no certain order.
 */
function packagesAreInstalled() {
  const noted = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(noted)) return false;
  const wanted = readLock(join(root, 'package-lock.json'));
  const installed = readLock(noted);
  return Object.entries(wanted).every(
    ([place, { version, optional }]) =>
      // Optional ones are left out where they are for another platform.
      place === '' || optional === true || installed[place]?.version === version,
  );
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function readLock(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

function buildIsFresh() {
  const built = join(root, 'dist', 'index.js');
  if (!existsSync(built)) return false;
  const sources = ['tsconfig.json', 'tsconfig.build.json', 'src'].map((name) => join(root, name));
  return Math.max(...sources.map(lastChange)) <= statSync(built).mtimeMs;
}

/**
 * Milliseconds; of a directory with all in it. A directory's own time tells of files removed.
 *
 * @param {string} path
 * @returns {number}
 */
function lastChange(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => lastChange(join(path, name))));
}

/**
 * Silent but for one line; a step that fails shows what it printed.
 *
 * @param {string} title
 * @param {string} program
 * @param {readonly string[]} args
 */
function step(title, program, args) {
  const start = performance.now();
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    // Windows starts npm.cmd by a shell only.
    shell: program.endsWith('.cmd'),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (status !== 0) {
    throw new SetupError(`${title} failed after ${seconds} s:\n${error ?? `${stdout}${stderr}`}`);
  }
  console.log(`${title}: ${seconds} s`);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    setUp();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
