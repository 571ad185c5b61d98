/** The environment of one test: nothing of the machine's that says who signs in. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';

/** A directory that ends with the test. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'diaspora-ways-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** These variables and no others of ours or of AWS's, until the test ends. */
export function useEnvironment(env: Readonly<Record<string, string>>): void {
  vi.unstubAllEnvs();
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const name of Object.keys(process.env)) {
    if (/^(DIASPORA|AWS)_/.test(name)) vi.stubEnv(name, undefined);
  }
  const home = temporaryDirectory();
  const nothing = {
    DIASPORA_USER_DIR: home,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_SHARED_CREDENTIALS_FILE: join(home, 'credentials'),
    AWS_CONFIG_FILE: join(home, 'config'),
  };
  for (const [name, value] of Object.entries({ ...nothing, ...env })) vi.stubEnv(name, value);
}
