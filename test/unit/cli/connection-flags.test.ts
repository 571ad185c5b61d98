import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import {
  addConnectionFlags,
  type ConnectionFlags,
  optionsFrom,
} from '../../../src/cli/connection-flags.ts';
import { waitReadyCommand } from '../../../src/cli/wait-ready.ts';
import { temporaryDirectory } from '../auth/signed-in.ts';

const issuer = 'https://auth.example.org';

/** A file for `--config`. */
function config(value: unknown): string {
  const file = join(temporaryDirectory(), 'config.json');
  writeFileSync(file, JSON.stringify(value));
  return file;
}

describe('Flags that say no type of sign-in', () => {
  it.each([
    { issuer },
    { serviceUrl: 'https://service.example.org' },
    { apiVersion: 'v1' },
    { region: 'us-west-2' },
  ] satisfies ConnectionFlags[])(
    'are of the service key where a command is about that: %j',
    (flags) => {
      expect(optionsFrom(flags, 'diaspora').connection.auth).toEqual({
        type: 'diaspora',
        ...flags,
      });
    },
  );

  it('are of Globus elsewhere', () => {
    expect(optionsFrom({ issuer }).connection.auth).toEqual({ type: 'globus', issuer });
    expect(() => optionsFrom({ apiVersion: 'v1' })).toThrow(/apiVersion/);
  });

  it('are of the type that --config says', () => {
    const flags = { config: config({ auth: { type: 'globus' } }), issuer };
    expect(optionsFrom(flags, 'diaspora').connection.auth).toEqual({ type: 'globus', issuer });
  });

  it('make a type of what --config leaves without one', () => {
    const flags = { config: config({ auth: { issuer } }) };
    expect(optionsFrom(flags, 'diaspora').connection.auth).toEqual({ type: 'diaspora', issuer });
  });

  it('leave everything to the defaults where there are none', () => {
    expect(optionsFrom({}, 'diaspora').connection.auth).toBeUndefined();
  });
});

it.each([
  ['globus', addConnectionFlags(new Command('tail'))],
  ['diaspora', waitReadyCommand()],
])('The help names the default: %s', (type, command) => {
  expect(command.helpInformation()).toMatch(new RegExp(`\\(default:\\s+${type}\\)`));
});
