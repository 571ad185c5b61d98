import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { shipCommand } from '../../../../src/cli/ship.ts';
import { ConfigurationError } from '../../../../src/errors.ts';

const secret = 'AgX0kz8Vb7sJd93kQ1mNbv5tYhG2wErTyUiOp4aSdFqW6eRt';
const local = ['--brokers', '127.0.0.1:9', '--no-tls', '--auth', 'none'];

/** What is said where it begins with a wrong topic. */
async function refusal(...args: readonly string[]): Promise<string> {
  const error: unknown = await shipCommand()
    .parseAsync([...local, ...args], { from: 'user' })
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConfigurationError);
  return String(error);
}

it('repeats nothing that looks like a token where a topic is to be, wherever that was given', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ship-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const config = join(directory, 'ship.json');
  writeFileSync(config, JSON.stringify({ topic: secret }));
  vi.stubEnv('DIASPORA_TOPIC', `Bearer ${secret}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const args of [[], ['--topic', secret], ['--config', config]]) {
    const said = await refusal(...args);
    expect(said).toContain('looks like a token, and is not shown');
    expect(said).not.toContain(secret);
  }
});

it('says so where no topic is named', async () => {
  vi.stubEnv('DIASPORA_TOPIC', '');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await refusal()).toContain('No topic');
});
