/** `diaspora-logger request-token` as a process, and a person who signs in where it asks for it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Globus } from '../../stack/globus.ts';

const commandLine = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface TokenRequest {
  readonly globus: Globus;
  readonly username: string;
  /** Beside `--json` and `--no-browser`. */
  readonly flags: readonly string[];
  /** All of its environment but PATH. */
  readonly env: Readonly<Record<string, string>>;
}

/** Answers what it printed. The package must be built. Throws what it said where it fails. */
export async function requestToken(request: TokenRequest): Promise<{ [field: string]: unknown }> {
  const { globus, username, flags, env } = request;
  const args = [commandLine, 'request-token', '--json', '--no-browser', ...flags];
  const child = spawn(process.execPath, args, { env: { PATH: process.env['PATH'], ...env } });
  const ended = once(child, 'close');
  const stdout = text(child.stdout);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
  });
  const authorizeUrl = (): string | undefined => /https?:\S+(?=\n)/.exec(said)?.[0];
  while (authorizeUrl() === undefined) {
    await Promise.race([once(child.stderr, 'data'), ended]);
    if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}: ${said}`);
  }
  const page = await globus.approve(authorizeUrl() ?? '', username);
  child.stdin.end(`${page.searchParams.get('code')}\n`);
  await ended;
  if (child.exitCode !== 0) throw new Error(`It ended with ${child.exitCode}: ${said}`);
  return JSON.parse(await stdout);
}
