/** Checks access tokens by asking Globus about them, as a resource server does (RFC 7662). */
import { createHash } from 'node:crypto';
import { type IntrospectionSettings, introspect } from './globus-introspection.ts';
import { type Identity, isSubject, isUsername } from './identity.ts';
import { Refusal } from './refusal.ts';
import { Gate } from './waiting-line.ts';

/** For how long an answer is kept, in milliseconds: a revoked token may be taken for this long. */
const keptMs = 3_000;
/** Answers kept at most. The oldest give way. */
const keptCount = 2_000;
const timeoutMs = 10_000;
/** Questions to Globus at the same time. */
const atOnce = 32;
/** As many may wait to be asked. */
const inLine = 1_000;

/** What Globus says of a token: whose it is, or why it is of no use. */
type Verdict = Identity | Refusal;

interface Kept {
  readonly until: number;
  readonly verdict: Promise<Verdict>;
}

export class GlobusTokens {
  readonly #settings: IntrospectionSettings;
  /** By digest: a token is nowhere kept longer than it is asked about. */
  readonly #kept = new Map<string, Kept>();
  readonly #gate = new Gate(atOnce, inLine);

  constructor(settings: IntrospectionSettings) {
    this.#settings = settings;
  }

  /**
   * @param isWanted Asked when the question's turn comes: whoever has hung up by then has nothing asked.
   * @throws Refusal where the token is not active, not the subject's, or not for the event service.
   */
  async check(subject: string, token: string, isWanted: () => boolean): Promise<Identity> {
    const digest = createHash('sha256').update(token).digest('base64');
    const verdict = await (this.#known(digest) ??
      this.#gate.run(async () => {
        if (!isWanted()) throw hungUp();
        // Others may have asked while this one waited.
        return this.#known(digest) ?? this.#ask(digest, token);
      }));
    if (verdict instanceof Refusal) throw verdict;
    if (verdict.subject !== subject) {
      throw new Refusal(
        403,
        'TOKEN_OF_ANOTHER_SUBJECT',
        'The access token belongs to another subject than the subject claim names.',
        { field: 'subject_claim' },
      );
    }
    return verdict;
  }

  #known(digest: string): Promise<Verdict> | undefined {
    const known = this.#kept.get(digest);
    return known && known.until > performance.now() ? known.verdict : undefined;
  }

  #ask(digest: string, token: string): Promise<Verdict> {
    const now = performance.now();
    const signal = AbortSignal.timeout(timeoutMs);
    const verdict = introspect(this.#settings, token, signal).then((claims) => this.#judge(claims));
    this.#kept.delete(digest);
    this.#kept.set(digest, { until: now + keptMs, verdict });
    // What could not be asked is asked anew next time.
    verdict.catch(() => this.#kept.delete(digest));
    for (const [oldest, { until }] of this.#kept) {
      if (until > now && this.#kept.size <= keptCount) break;
      this.#kept.delete(oldest);
    }
    return verdict;
  }

  #judge(claims: Readonly<Record<string, unknown>>): Verdict {
    const subject = String(claims['sub']).toLowerCase();
    const expired = typeof claims['exp'] === 'number' && claims['exp'] * 1000 <= Date.now();
    if (claims['active'] !== true || expired || !isSubject(subject)) {
      return new Refusal(
        401,
        'TOKEN_INACTIVE',
        'The access token is not active: it has expired, was revoked, or is not from Globus. Request a new one.',
        { field: 'access_token' },
      );
    }
    const scope = `https://auth.globus.org/scopes/${this.#settings.clientId}/action_all`;
    if (!String(claims['scope']).split(' ').includes(scope)) {
      return new Refusal(
        403,
        'TOKEN_WITHOUT_SCOPE',
        "The access token is not for the event service: it lacks the service's scope.",
        { field: 'access_token' },
      );
    }
    const { username } = claims;
    return {
      subject,
      username: typeof username === 'string' && isUsername(username) ? username : null,
    };
  }
}

const hungUp = (): Refusal =>
  new Refusal(400, 'HUNG_UP', 'The caller has hung up before its token was checked.');

/** @throws Refusal where it cannot be a token at all: nobody is asked about such. */
export function readToken(text: string): string {
  const token = text.trim();
  if (token === '') {
    throw new Refusal(401, 'TOKEN_MISSING', 'An access token is needed.', {
      field: 'access_token',
    });
  }
  // b64token of RFC 6750, 2.1.
  if (!/^[\w.~+/-]{16,4096}=*$/.test(token)) {
    throw new Refusal(401, 'TOKEN_MALFORMED', 'That is not an access token: copy all of it.', {
      field: 'access_token',
    });
  }
  return token;
}
