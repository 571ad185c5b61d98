/** People of a stack, each with a home of their own, and the commands that they run: all that those print is kept. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requestToken } from '../../src/auth/request-token.ts';
import { TokenStore } from '../../src/auth/token-store.ts';
import { nativeAppClientId, personNamed } from '../../stack/globus-facts.ts';
import { onSecret, type Secret } from '../../stack/secrets.ts';
import type { StackClient } from '../../stack/stack-client.ts';
import { expectNoSecrets } from '../faults/oracle/secrets.ts';
import { type CommandEnd, type CommandOptions, type Env, runCommand } from './command.ts';

export interface Account {
  readonly username: string;
  readonly subject: string;
  /** Directory of the token store. */
  readonly home: string;
  readonly store: TokenStore;
  /** The stack's addresses and the home. */
  readonly env: Env;
}

export class Accounts implements Disposable {
  readonly #stack: StackClient;
  readonly #homes: string[] = [];
  readonly #secrets: Secret[] = [];
  readonly #printed: string[] = [];
  readonly #forget: () => void;
  #people = 0;

  constructor(stack: StackClient) {
    this.#stack = stack;
    this.#forget = onSecret((secret) => this.#secrets.push(secret));
  }

  /** A directory that ends with the test file. */
  directory(): string {
    const path = mkdtempSync(join(tmpdir(), 'account-'));
    this.#homes.push(path);
    return path;
  }

  /** Nobody has signed in there. */
  newcomer(username = `person${++this.#people}@example.org`): Account {
    const home = this.directory();
    const env = { ...this.#stack.env, DIASPORA_USER_DIR: home };
    const store = new TokenStore({
      issuer: this.#stack.issuer,
      oauthClientId: nativeAppClientId,
      isService: false,
      env,
    });
    return { username, subject: personNamed(username).subject, home, store, env };
  }

  /** As by `request-token --save`. */
  async signedIn(username?: string): Promise<Account> {
    const account = this.newcomer(username);
    const { globus, issuer } = this.#stack;
    await requestToken({
      issuer,
      save: true,
      browser: false,
      env: account.env,
      prompt: async (url) =>
        (await globus.approve(url, account.username)).searchParams.get('code') ?? '',
    });
    return account;
  }

  /** A command that has no business with printing secrets: see `expectNothingSecret`. */
  async run(args: readonly string[], options: CommandOptions = {}): Promise<CommandEnd> {
    const end = await runCommand(args, options);
    this.#printed.push(`$ ${args.join(' ')}\n${end.out}${end.err}`);
    return end;
  }

  /** Throws where a secret that the stack has given out stands in what any command printed. */
  expectNothingSecret(): void {
    if (this.#secrets.length === 0) throw new Error('There are no secrets to search for.');
    expectNoSecrets(this.#secrets, this.#printed.join('\n'));
  }

  [Symbol.dispose](): void {
    this.#forget();
    for (const home of this.#homes) rmSync(home, { recursive: true, force: true });
  }
}
