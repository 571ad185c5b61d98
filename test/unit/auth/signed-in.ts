/** What the tests of sign-in share: a temporary home, and a record of diagnostics to wait on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type {
  GlobusAuth,
  TokenSource,
  TokenSourceOptions,
} from '../../../src/auth/token-source.ts';
import { createTokenSource } from '../../../src/auth/token-source.ts';
import {
  type DiagnosticCode,
  type DiagnosticEvent,
  Diagnostics,
} from '../../../src/diagnostics.ts';
import type { Globus } from '../../../stack/globus.ts';
import { nativeAppClientId } from '../../../stack/globus-facts.ts';

/** A directory that ends with the test. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'diaspora-auth-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Diagnostics that can be looked at, and waited for. */
export class Heard {
  readonly events: DiagnosticEvent[] = [];
  readonly diagnostics: Diagnostics = new Diagnostics((event) => {
    this.events.push(event);
    for (const wake of this.#waiting.splice(0)) wake();
  });
  readonly #waiting: (() => void)[] = [];

  codes(): DiagnosticCode[] {
    return this.events.map(({ code }) => code);
  }

  count(code: DiagnosticCode): number {
    return this.codes().filter((one) => one === code).length;
  }

  /** Resolves once `code` was heard `times` times. */
  async until(code: DiagnosticCode, times = 1): Promise<DiagnosticEvent> {
    for (;;) {
      const event = this.events.filter((one) => one.code === code)[times - 1];
      if (event) return event;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

/** A token source of the stand-in that is closed with the test, with a home of its own. */
export function sourceOf(
  globus: Globus,
  auth: Partial<GlobusAuth>,
  more: Partial<Omit<TokenSourceOptions, 'auth'>> = {},
): { source: TokenSource; heard: Heard; home: string } {
  const heard = new Heard();
  const home = more.env?.['DIASPORA_USER_DIR'] ?? temporaryDirectory();
  const source = createTokenSource({
    auth: {
      type: 'globus',
      issuer: globus.issuer,
      oauthClientId: nativeAppClientId,
      ...auth,
    },
    diagnostics: heard.diagnostics,
    env: { DIASPORA_USER_DIR: home },
    ...more,
  });
  onTestFinished(() => source.close());
  return { source, heard, home };
}
