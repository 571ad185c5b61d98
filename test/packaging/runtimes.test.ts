/** What docs/support.md says of other places than Node: browsers get an error that explains itself; Bun and Deno, where they are installed. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { buildPackage } from '../integration/built-package.ts';
import { DocsPage } from '../integration/docs-page.ts';
import { SnippetDirectory } from '../integration/snippet-directory.ts';
import { newTopic, signedInEnv, valuesOf } from '../integration/topic-content.ts';
import { InstalledProject, root } from './installed-project.ts';

const page = new DocsPage('support.md');
const require = createRequire(import.meta.url);
const entry = z.object({ types: z.string(), browser: z.string(), default: z.string() });
const manifest = z
  .object({
    exports: z.record(z.string(), z.union([z.string(), entry])),
    engines: z.object({ node: z.string() }),
    devDependencies: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));

/** Of each name that code can import, the file that Node gets. */
const entries = Object.entries(manifest.exports).flatMap(([name, files]) =>
  typeof files === 'string' ? [] : [{ name: name.replace(/^\./, 'diaspora-logger'), ...files }],
);

let project: InstalledProject;

beforeAll(async () => {
  await buildPackage();
  project = await InstalledProject.create();
  const own = ['pino', 'winston'].map((name) => `${name}@${manifest.devDependencies[name]}`);
  await project.install(...own);
});
afterAll(() => project?.[Symbol.asyncDispose]());

describe('In a browser', () => {
  async function bundle(code: string, platform: 'browser' | 'node'): Promise<string> {
    const { outputFiles } = await build({
      stdin: { contents: code, resolveDir: project.directory },
      write: false,
      bundle: true,
      format: 'esm',
      platform,
      logLevel: 'silent',
    });
    return outputFiles.map((file) => file.text).join('');
  }

  it.each(entries)('every name of $name is there for a bundler', async ({ name, browser }) => {
    expect(browser).toBe('./dist/browser.js');
    const names = Object.keys(await import(import.meta.resolve(name)));
    expect(names.length).toBeGreaterThan(0);
    const namespace = names.map((one) => `x.${one}`).join();
    // A name that is missing would be a warning here, and an error for whoever imports it.
    const list = names.map((one, i) => `${one} as n${i}`).join();
    await bundle(
      `import { ${list} } from '${name}'; console.log(${names.map((_, i) => `n${i}`)})`,
      'browser',
    );
    await bundle(`import * as x from '${name}'; console.log(${namespace})`, 'browser');
  });

  it('the bundle is an error that says what to do, and nothing of the package', async (context) => {
    const code = `
      import { DiasporaLogger } from 'diaspora-logger';
      document.title = 'loaded';
      new DiasporaLogger();`;
    const script = await bundle(code, 'browser');
    expect(script.length).toBeLessThan(4_000);
    const executablePath = installed('chromium', 'chromium-browser', 'google-chrome');
    if (executablePath === null) return context.skip('there is no Chromium on this machine');
    const chrome = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-gpu'],
    });
    try {
      const tab = await chrome.newPage();
      const failed = tab.waitForEvent('pageerror');
      await tab.setContent(`<title>not yet</title><script type="module">${script}</script>`);
      const error = await failed;
      const [said] = page.ofLanguage('text');
      expect(`${error.name}: ${error.message}`).toContain(said?.code.replace('…', '').trim());
      expect(await tab.title()).toBe('not yet');
    } finally {
      await chrome.close();
    }
  });

  it('nothing changes for Node, and for bundles that are made for Node', async () => {
    for (const { name, default: file } of entries) {
      expect(require.resolve(name)).toBe(join(root, file));
    }
    const script = await bundle(`export * from 'diaspora-logger'`, 'node');
    expect(script).not.toContain('NOT_FOR_BROWSERS');
    expect(script).toContain('DELIVERY_TIMED_OUT');
  });
});

describe('The page of what is supported', () => {
  it('bundles an app as it shows, and the bundle delivers', async () => {
    using directory = new SnippetDirectory();
    directory.write(page.file('build.mjs'));
    const app = readFileSync(join(project.directory, 'bundled.mjs'));
    await writeFile(join(directory.path, 'app.mjs'), app);
    await directory.run('build.mjs');
    const topic = await newTopic('bundle');
    await directory.run('bundle.mjs', { args: [topic], env: await signedInEnv() });
    expect(await valuesOf(topic)).toEqual(['bundled']);
  });

  it('names the one dependency that has native code', async () => {
    const files = await readdir(join(project.directory, 'node_modules'), { recursive: true });
    const native = files.filter((file) => file.endsWith('.node')).map((file) => file.split('/')[0]);
    expect([...new Set(native)]).toEqual(['fs-native-extensions']);
    expect(page.text).toContain('`fs-native-extensions`, prebuilt');
  });

  it('has the Node versions that the manifest has, and no snippet that was not tested', () => {
    const [, least = 'none'] = /^>=(\d+\.\d+)/.exec(manifest.engines.node) ?? [];
    expect(page.text).toContain(`| ${least} and later`);
    page.ofLanguage('text');
    expect(page.untested()).toEqual([]);
  });
});

describe.each([
  { runtime: 'bun', flags: [] },
  { runtime: 'deno', flags: ['run', '-A'] },
])('Under $runtime', ({ runtime, flags }) => {
  const program = installed(runtime);

  const run = (app: string, args: readonly string[], env: Record<string, string>) =>
    project.run(program ?? '', [...flags, app, ...args], env);

  beforeEach((context) => {
    // A hundred megabytes each: not fetched for every run of the tests.
    if (program === null) context.skip(`there is no ${runtime} on this machine`);
  });

  it.each([
    { what: 'a producer', app: 'bundled.mjs', values: ['bundled'] },
    {
      what: 'Winston, and Pino in process',
      app: 'winston.mjs',
      values: ['{"level":30,"msg":"in process"}', '{"level":"info","message":"winston"}'],
    },
    {
      what: 'CommonJS, and Pino’s worker',
      app: 'pino-worker.cjs',
      values: ['require', '{"level":30,"msg":"pino"}'],
    },
  ])('$what, and a consumer work', async ({ app, values }) => {
    const topic = await newTopic(runtime);
    const env = await signedInEnv();
    await run(app, [topic], env);
    const found = await valuesOf(topic);
    expect(found.toSorted()).toEqual(values.toSorted());
    const { stdout } = await run('consumer.mjs', [topic, String(found.length)], env);
    expect(JSON.parse(stdout)).toEqual(found);
  });

  it.each(['ends by itself', 'exits', 'is asked to stop'])(
    'Pino’s worker delivers all of an app that %s',
    async (way) => {
      const topic = await newTopic(runtime);
      await run('ends.mjs', [topic, way], await signedInEnv());
      expect(await valuesOf(topic)).toHaveLength(100);
    },
  );

  it('the token store is refused, by a reason and not by the end of the process', async () => {
    await using home = await temporaryDirectory();
    await writeFile(join(home.path, 'storage.db'), '');
    const { DIASPORA_REFRESH: _, ...env } = await signedInEnv();
    const { stdout } = await run('token-store.mjs', [], { ...env, DIASPORA_USER_DIR: home.path });
    expect(stdout).toContain('its lock takes Node, not Bun or Deno');
  });
});

async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'runtimes-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** Path of the first of these programs that is installed. */
function installed(...names: readonly string[]): string | null {
  for (const name of names) {
    const { status, stdout } = spawnSync('which', [name], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  return null;
}
