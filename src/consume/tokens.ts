/** The access tokens that a reader signs in with. */
import { openTokenSource } from '../auth/token-source.ts';
import type { Diagnostics } from '../diagnostics.ts';
import type { ResolvedAuth } from '../options.ts';
import type { BearerTokens } from './kafkajs-client.ts';

export interface ReaderTokens extends BearerTokens {
  /** The brokers refused the token that was handed out last. */
  refused(): void;
  close(): void | Promise<void>;
}

/** Null where sign-in takes no token. */
export function openTokens(auth: ResolvedAuth, diagnostics: Diagnostics): ReaderTokens | null {
  if (auth.type !== 'globus' && auth.type !== 'token') return null;
  const source = openTokenSource({ auth, diagnostics });
  let last: string | null = null;
  return {
    async token() {
      const { value } = await source.token();
      last = value;
      return { value };
    },
    // kafkajs does not say which of its connections was refused, nor with what.
    refused() {
      if (last !== null) source.refused(last);
    },
    close: () => source.close(),
  };
}
