/** A directory inside the checkout, where snippets of the documentation find the package by its name. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Ended, type RunningApp, startApp } from './built-package.ts';
import type { DocsPage, Snippet } from './docs-page.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const commandLine = join(root, 'dist', 'cli', 'main.js');

/** `npx diaspora-logger …` and `npx --yes diaspora-logger …`, as a project has it that installed the package. */
const npx = `#!/bin/sh
while [ "$1" != diaspora-logger ]; do
  case "$1" in -*) shift ;; *) echo "npx: only diaspora-logger is installed here, not $1" >&2; exit 127 ;; esac
done
shift
exec "${process.execPath}" "${commandLine}" "$@"
`;

export interface SnippetRun {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Path of the Node that runs it. Default: the one that runs the tests. */
  readonly node?: string;
}

export class SnippetDirectory implements Disposable {
  readonly path: string;
  readonly #page: DocsPage | undefined;

  /** With a page, all its files are there, and those that are started count as tested. */
  constructor(page?: DocsPage) {
    this.#page = page;
    const cache = join(root, '.cache');
    mkdirSync(cache, { recursive: true });
    this.path = mkdtempSync(join(cache, 'snippets-'));
    mkdirSync(join(this.path, 'bin'));
    writeFileSync(join(this.path, 'bin', 'npx'), npx);
    chmodSync(join(this.path, 'bin', 'npx'), 0o755);
    if (page) this.write(...page.files());
  }

  /** Writes snippets that are files under their names. */
  write(...snippets: readonly Snippet[]): void {
    for (const { file, code } of snippets) {
      if (file === null) throw new Error(`This snippet has no file name:\n${code}`);
      writeFileSync(join(this.path, file), code);
    }
  }

  /** Starts a file of the directory, with the directory as its working directory. */
  start(
    file: string,
    { args = [], env = {}, node = process.execPath }: SnippetRun = {},
  ): RunningApp {
    this.#page?.ran(file);
    return startApp(relative(root, join(this.path, file)), args, env, node, this.path);
  }

  /** Runs a file to its end. Throws what it wrote to stderr where it does not end with 0. */
  async run(file: string, options: SnippetRun = {}): Promise<Ended> {
    const end = await this.start(file, options).ended;
    if (end.code !== 0)
      throw new Error(`${file} ended with ${end.code ?? end.signal}: ${end.stderr}`);
    return end;
  }

  /** Compiles a TypeScript file as strictly as may be, and keeps nothing of it. Throws what the compiler says. */
  async checkTypes(file: string): Promise<void> {
    this.#page?.ran(file);
    const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--types', 'node'];
    const modules = ['--module', 'nodenext', '--target', 'es2023', '--skipLibCheck'];
    const args = ['--ignoreConfig', ...flags, ...modules, join(this.path, file)];
    const { code, stdout } = await startApp(relative(root, compiler), args, {}).ended;
    if (code !== 0) throw new Error(stdout);
  }

  /** Starts a snippet in a shell that ends at the first failure; `npx diaspora-logger` is the built command line. */
  startShell(code: string, env: Readonly<Record<string, string>> = {}): RunningApp {
    const file = join(this.path, 'snippet.sh');
    writeFileSync(file, `set -e\n${code}`);
    const PATH = `${join(this.path, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`;
    return startApp(relative(root, file), [], { ...env, PATH }, '/bin/sh', this.path);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 });
  }
}
