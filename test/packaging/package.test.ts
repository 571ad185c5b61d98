import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { buildPackage } from '../integration/built-package.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { otherNode } from '../support/other-node.ts';
import { InstalledProject, root } from './installed-project.ts';

const stack = sharedStack();
const require = createRequire(import.meta.url);
const manifest = z
  .object({ files: z.array(z.string()), devDependencies: z.record(z.string(), z.string()) })
  .parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));

/** Long-term releases that users run, and the one that runs the tests. */
const runningMajor = Number(process.versions.node.split('.')[0]);
const majors = [...new Set([20, 22, 24, 26, runningMajor])].sort();

let project: InstalledProject;

beforeAll(async () => {
  await buildPackage();
  project = await InstalledProject.create();
});

afterAll(() => project?.[Symbol.asyncDispose]());

describe('the tarball', () => {
  it('holds what the manifest names, and what npm always adds', () => {
    const places = project.files.map((file) => file.split('/')[0] ?? '');
    const expected = [...manifest.files, 'LICENSE', 'README.md', 'package.json'];
    expect([...new Set(places)].filter((place) => !expected.includes(place))).toEqual([]);
    expect(project.files).toEqual(expect.arrayContaining(['LICENSE', 'README.md']));
  });

  it('holds of each source its compiled form and its types, and nothing else in dist', async () => {
    const sources = await readdir(join(root, 'src'), { recursive: true });
    const compiled = sources
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => ['.js', '.d.ts'].map((end) => `dist/${file.replace(/\.ts$/, end)}`));
    const dist = project.files.filter((file) => file.startsWith('dist/'));
    expect(dist.sort()).toEqual(compiled.sort());
  });

  it('holds no test, no path of the machine that packed it, and no key', async () => {
    expect(project.files.filter((file) => /\btest\b|\.tsbuildinfo$|\.env/.test(file))).toEqual([]);
    for (const file of project.files) {
      const content = await project.readPackageFile(file);
      expect(content, file).not.toContain(root);
      expect(content, file).not.toContain(`${homedir()}/`);
      expect(content, file).not.toMatch(/-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}/);
    }
  });

  it('depends on nothing but permissively licensed packages', async () => {
    const permissive =
      /^(MIT|MIT-0|ISC|0BSD|Apache-2\.0|BSD-[23]-Clause|BlueOak-1\.0\.0|Unlicense)$/;
    const licences = await Promise.all((await packagesIn(project)).map(licenceOf));
    expect(licences.length).toBeGreaterThan(10);
    expect(licences.filter(({ licence }) => !permissive.test(licence))).toEqual([]);
  });
});

describe('in a project of its user', () => {
  beforeAll(async () => {
    const { devDependencies } = manifest;
    const own = ['pino', 'winston', '@types/node'].map(
      (name) => `${name}@${devDependencies[name]}`,
    );
    await project.install(...own);
  });

  it('is found under each of its names, from CommonJS too', async () => {
    const fromProject = createRequire(join(project.directory, 'app.cjs'));
    const names = ['', '/pino', '/winston', '/examples', '/package.json'];
    for (const name of names) {
      const found = fromProject.resolve(`diaspora-logger${name}`);
      expect(project.files).toContain(relative(project.packageFile(''), found));
    }
    expect(() => fromProject.resolve('diaspora-logger/dist/options.js')).toThrow(
      expect.objectContaining({ code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' }),
    );
  });

  it('type-checks strictly, declarations of its dependencies included', async () => {
    const compilerOptions = {
      target: 'es2023',
      lib: ['es2023'],
      module: 'nodenext',
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
    };
    await writeFile(
      join(project.directory, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['typed.ts'] }),
    );
    await project.run(process.execPath, [require.resolve('typescript/bin/tsc')]);
  });

  it('brings a command line', async () => {
    const { stdout } = await project.run('npx', ['--no-install', 'diaspora-logger', '--help']);
    expect(stdout).toContain('Usage: diaspora-logger');
    expect(stdout).toContain('request-token');
  });

  it('says which package AWS IAM without an access key needs, where that is not installed', async () => {
    const auth = { type: 'aws-iam', region: 'us-east-1', credentials: null, profile: 'lab' };
    const code = `
      import { createTokenSource } from 'diaspora-logger';
      const source = createTokenSource({ auth: ${JSON.stringify(auth)} });
      await source.token().catch(({ code, message }) => console.log(code, message));`;
    const { stdout } = await project.run(process.execPath, ['--input-type=module', '--eval', code]);
    expect(stdout).toBe(
      'AWS_CREDENTIALS_FAILED Without an access key, auth.type "aws-iam" needs the package aws-msk-iam-sasl-signer-js: run "npm install aws-msk-iam-sasl-signer-js", or set auth.accessKeyId and auth.secretAccessKey.\n',
    );
  });

  it('works as one bundled file', async () => {
    const bundle = join(project.directory, 'bundle', 'app.mjs');
    await build({
      entryPoints: [join(project.directory, 'bundled.mjs')],
      outfile: bundle,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      logLevel: 'error',
      // CommonJS dependencies ask for Node's own modules by require(), which ES modules lack.
      banner: {
        js: `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);`,
      },
    });
    const topic = await newTopic();
    const { stdout } = await project.run(process.execPath, [bundle, topic], await signedIn());
    expect(stdout).toBe('partition 0\n');
    expect(await valuesIn(topic)).toEqual(['bundled']);
  });

  describe.each(majors)('on Node %i', (major) => {
    let node: string;

    beforeAll(async () => {
      node = major === runningMajor ? process.execPath : await otherNode(major);
      const { stdout } = await project.run(node, ['--version']);
      expect(stdout).toMatch(new RegExp(`^v${major}\\.`));
    });

    it.each(['diaspora-logger', 'diaspora-logger/pino', 'diaspora-logger/winston'])(
      'lets a process end that has only imported %s',
      async (name) => {
        const args = ['--input-type=module', '--eval', `import '${name}';`];
        expect(await project.run(node, args)).toEqual({ stdout: '', stderr: '' });
      },
    );

    it('gives its examples to CommonJS', async () => {
      const code = "console.log(Object.keys(require('diaspora-logger/examples')).sort().join())";
      const { stdout } = await project.run(node, ['--input-type=commonjs', '--eval', code]);
      expect(stdout).toBe('runConsumerExample,runProducerExample\n');
    });

    it('delivers from CommonJS: by Pino in its worker, and directly', async () => {
      const topic = await newTopic();
      const { stderr } = await project.run(node, ['pino-worker.cjs', topic], await signedIn());
      expect(stderr).toBe('');
      expect((await valuesIn(topic)).sort()).toEqual(['require', '{"level":30,"msg":"pino"}']);
    });

    it('delivers from ES modules: by Winston, and by Pino in process', async () => {
      const topic = await newTopic();
      const { stderr } = await project.run(node, ['winston.mjs', topic], await signedIn());
      expect(stderr).toBe('');
      expect(await valuesIn(topic)).toEqual([
        '{"level":"info","message":"winston"}',
        '{"level":30,"msg":"in process"}',
      ]);
    });
  });
});

async function newTopic(): Promise<string> {
  const topic = uniqueTopic('package');
  await stack.createTopic(topic);
  return topic;
}

/** Each app signs in by itself, as each user's would. */
async function signedIn(): Promise<Record<string, string>> {
  const { refreshToken } = await stack.globus.signIn();
  return { ...stack.env, DIASPORA_REFRESH: refreshToken };
}

async function valuesIn(topic: string): Promise<(string | undefined)[]> {
  const values = [];
  for await (const { value } of stack.readTopic(topic)) values.push(value?.toString());
  return values;
}

/** Manifests of all installed packages but the one under test. */
async function packagesIn({ directory }: InstalledProject): Promise<string[]> {
  const files = await readdir(join(directory, 'node_modules'), { recursive: true });
  return files
    .filter((file) => /(^|node_modules\/)(@[^/]+\/)?[^/@.][^/]*\/package\.json$/.test(file))
    .filter((file) => !file.startsWith('diaspora-logger/'))
    .map((file) => join(directory, 'node_modules', file));
}

const licensed = z.object({ name: z.string(), license: z.string().default('none') });

async function licenceOf(file: string): Promise<{ name: string; licence: string }> {
  const { name, license } = licensed.parse(JSON.parse(await readFile(file, 'utf8')));
  return { name, licence: license };
}
