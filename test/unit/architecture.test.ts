import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, extname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const linter = join(root, 'node_modules/@biomejs/biome/bin/biome');

const topFiles = [
  'errors.ts',
  'back-off.ts',
  'deadline.ts',
  'shown-words.ts',
  'diagnostics.ts',
  'broker-faults.ts',
  'options.ts',
];
const lower = [...topFiles, 'auth', 'services', 'delivery', 'spool', 'wire', 'wire/requests'];

const belowCommands = [...lower, 'other-clients', 'produce', 'consume', 'ready', 'transports'];
/** What a command of several files is made of. */
const commandFolders = ['cli/audit', 'cli/doctor', 'cli/ship', 'cli/tail'];

/** The table of `docs/architecture.md`: what each part of src may import beside its own files. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  'back-off.ts': [],
  'deadline.ts': [],
  'shown-words.ts': [],
  'diagnostics.ts': ['errors.ts'],
  'browser.ts': ['errors.ts'],
  'broker-faults.ts': ['diagnostics.ts'],
  'options.ts': ['errors.ts', 'diagnostics.ts', 'options'],
  options: ['errors.ts'],
  auth: topFiles,
  delivery: topFiles,
  spool: topFiles,
  wire: [...topFiles, 'wire/requests'],
  'wire/requests': [...topFiles, 'wire'],
  services: [...topFiles, 'auth'],
  'other-clients': [...topFiles, 'auth'],
  produce: lower,
  consume: [...topFiles, 'auth', 'services', 'kafkajs'],
  ready: [...lower, 'produce', 'consume'],
  transports: [...lower, 'produce', 'consume'],
  cli: [...belowCommands, ...commandFolders],
  ...Object.fromEntries(
    commandFolders.map((folder) => [
      folder,
      [...belowCommands, 'cli', ...commandFolders.filter((other) => other !== folder)],
    ]),
  ),
};

/** Everything that a file of src could want to import. */
const targets = [...Object.keys(mayImport), 'index.ts', 'kafkajs', '../stack', '../test'];

interface Finding {
  readonly rule: string;
  readonly file: string;
  readonly line: number;
}

/** A copy of the rules over files that break them: the checkout itself never holds such files. */
let directory: string;
let findings: readonly Finding[];

beforeAll(async () => {
  directory = await mkdtemp(join(await realpath(tmpdir()), 'diaspora-lint-'));
  await copyFile(join(root, 'biome.json'), join(directory, 'biome.json'));
  for (const part of Object.keys(mayImport)) {
    const lines = targetsOf(part).map((target) => `import '${specifier(part, target)}';\n`);
    await write(importerIn(part), lines.join(''));
  }
  await write('src/index.ts', `import '../stack/broker.ts';\n`);
  await write('stack/broker.ts', `import '../src/errors.ts';\n`);
  await write('examples/app.js', `import '../src/errors.ts';\n`);
  await write('bench/first.ts', `import './second.ts';\n`);
  await write('bench/second.ts', `import './first.ts';\n`);
  findings = await lint();
});

afterAll(() => rm(directory, { recursive: true, force: true }));

describe('the linter', () => {
  for (const [part, allowed] of Object.entries(mayImport)) {
    it(`lets src/${part} import ${allowed.join(', ') || 'nothing'}, and refuses all else`, () => {
      const refused = new Set(refusedLines(importerIn(part)));
      expect(targetsOf(part).filter((_target, index) => !refused.has(index + 1))).toEqual(
        targetsOf(part).filter((target) => allowed.includes(target)),
      );
    });
  }

  it('lets sources import nothing from outside src, and the stack and examples nothing from inside', () => {
    for (const file of ['src/index.ts', 'stack/broker.ts', 'examples/app.js']) {
      expect(refusedLines(file), file).toEqual([1]);
    }
  });

  it('refuses imports in a circle', () => {
    const inCircle = findings.filter(
      ({ rule, file }) => rule.endsWith('/noImportCycles') && file.startsWith('bench/'),
    );
    expect(inCircle.map(({ file }) => file).sort()).toEqual(['bench/first.ts', 'bench/second.ts']);
  });
});

describe('the table', () => {
  it('has every folder and every file at the top of src', async () => {
    const source = join(root, 'src');
    const entries = await readdir(source, { recursive: true, withFileTypes: true });
    const parts = entries
      .filter((entry) => entry.isDirectory() || entry.parentPath === source)
      .map((entry) => posix.relative(source, join(entry.parentPath, entry.name)))
      .filter((part) => part !== 'index.ts');
    expect(Object.keys(mayImport)).toEqual(expect.arrayContaining(parts));
  });
});

function targetsOf(part: string): string[] {
  return targets.filter((target) => target !== part);
}

/** The file that imports every target, one a line. */
function importerIn(part: string): string {
  return extname(part) === '.ts' ? `src/${part}` : `src/${part}/importer.ts`;
}

function specifier(part: string, target: string): string {
  if (target === 'kafkajs') return target;
  const file = extname(target) === '.ts' ? target : `${target}/some-file.ts`;
  const path = posix.relative(dirname(importerIn(part)), posix.join('src', file));
  return path.startsWith('.') ? path : `./${path}`;
}

async function write(file: string, content: string): Promise<void> {
  await mkdir(dirname(join(directory, file)), { recursive: true });
  await writeFile(join(directory, file), content);
}

function refusedLines(file: string): number[] {
  return findings
    .filter((finding) => finding.rule.endsWith('/noRestrictedImports') && finding.file === file)
    .map(({ line }) => line);
}

/** Its report for CI is the one that is made for programs. */
async function lint(): Promise<Finding[]> {
  const args = [linter, 'lint', '--reporter=github', '--max-diagnostics=none', '.'];
  const report = await new Promise<string>((resolve) => {
    // Exits with 1: there are findings.
    execFile(process.execPath, args, { cwd: directory }, (_error, stdout) => resolve(stdout));
  });
  return [...report.matchAll(/^::\w+ title=([^,]+),file=([^,]+),line=(\d+)/gm)].map(
    ([, rule = '', file = '', line]) => ({
      rule,
      file: posix.relative(directory, file),
      line: Number(line),
    }),
  );
}
