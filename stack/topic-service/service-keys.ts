/** Keys by which a subject signs in to Kafka without Globus. Each is a SCRAM user, and nothing of it is kept here. */
import { randomBytes } from 'node:crypto';
import { announceSecret } from '../secrets.ts';
import { type AccessKey, makeAccessKey, readAccessKey, secretAccessKey } from './access-key.ts';
import type { ScramUsers } from './scram-users.ts';
import { OnePerName } from './waiting-line.ts';

/** A key of v3. */
export interface IssuedKey extends AccessKey {
  readonly secret: string;
  /** False where it was there before. */
  readonly fresh: boolean;
}

/** A password of v1 that Kafka does not have yet. */
interface PendingPassword {
  readonly password: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  timer: NodeJS.Timeout;
}

/** After which time a password that could not be put into Kafka is tried again, in milliseconds. */
const retryMs = 1_000;

export interface ServiceKeysSettings {
  readonly users: ScramUsers;
  /** What secrets of v3 are derived from. */
  readonly serviceSecret: string;
  /** Age from which on keys are active, in milliseconds. */
  readonly keyDelayMs: number;
}

export class ServiceKeys {
  readonly #users: ScramUsers;
  readonly #serviceSecret: string;
  readonly #line = new OnePerName();
  readonly #pending = new Map<string, PendingPassword>();
  #keyDelayMs: number;

  constructor({ users, serviceSecret, keyDelayMs }: ServiceKeysSettings) {
    this.#users = users;
    this.#serviceSecret = serviceSecret;
    this.#keyDelayMs = keyDelayMs;
  }

  get keyDelayMs(): number {
    return this.#keyDelayMs;
  }

  /** Applies to keys that wait, too. */
  set keyDelayMs(value: number) {
    this.#keyDelayMs = value;
    for (const [subject, pending] of this.#pending) {
      clearTimeout(pending.timer);
      pending.timer = this.#timer(subject, pending.createdAt);
    }
  }

  /** A new password of v1 for the SCRAM user that is named as the subject; it replaces the earlier one once it is active. */
  createPassword(subject: string): Promise<string> {
    return this.#line.run(subject, async () => {
      const password = randomBytes(24).toString('base64url');
      announceSecret({ kind: "a service key's password", value: password });
      const createdAt = Date.now();
      this.#forget(subject);
      if (this.#keyDelayMs === 0) await this.#users.put(subject, password);
      else {
        const timer = this.#timer(subject, createdAt);
        this.#pending.set(subject, { password, createdAt, timer });
      }
      return password;
    });
  }

  /** The subject's key of v3, made where there is none. */
  obtainKey(subject: string): Promise<IssuedKey> {
    return this.#line.run(subject, async () => {
      const [present] = await this.#keysOf(subject);
      const key = present ?? makeAccessKey(subject, Date.now());
      const secret = this.#secretOf(key.id);
      if (!present) await this.#users.put(key.id, secret);
      return { ...key, secret, fresh: !present };
    });
  }

  /** Ends the subject's keys of v3. */
  endKeys(subject: string): Promise<void> {
    return this.#line.run(subject, async () => {
      for (const { id } of await this.#keysOf(subject)) await this.#users.remove(id);
    });
  }

  /**
   * Whose access key this is, where it is active and signed what `isSignedWith` knows of. Only then is
   * Kafka asked whether it is still there.
   */
  async subjectOfSigned(
    id: string,
    isSignedWith: (secretAccessKey: string) => boolean,
  ): Promise<string | null> {
    const key = readAccessKey(id);
    if (!key || !isSignedWith(this.#secretOf(id))) return null;
    if (key.createdAt + this.#keyDelayMs > Date.now()) return null;
    return (await this.#users.exists(id)) ? key.subject : null;
  }

  /** Puts what waits into Kafka at once. */
  async flush(): Promise<void> {
    const subjects = [...this.#pending.keys()];
    await Promise.all(subjects.map((subject) => this.#activate(subject)));
  }

  async #keysOf(subject: string): Promise<AccessKey[]> {
    const keys = (await this.#users.names()).map(readAccessKey);
    return keys.filter((key) => key !== null).filter((key) => key.subject === subject);
  }

  #secretOf(id: string): string {
    const secret = secretAccessKey(this.#serviceSecret, id);
    announceSecret({ kind: 'a secret access key', value: secret });
    return secret;
  }

  #timer(subject: string, createdAt: number): NodeJS.Timeout {
    const wait = Math.max(0, createdAt + this.#keyDelayMs - Date.now());
    const activate = (): void => {
      this.#activate(subject).catch(() => {
        const pending = this.#pending.get(subject);
        if (pending) pending.timer = setTimeout(activate, retryMs).unref();
      });
    };
    return setTimeout(activate, wait).unref();
  }

  #activate(subject: string): Promise<void> {
    return this.#line.run(subject, async () => {
      const pending = this.#pending.get(subject);
      if (!pending) return;
      await this.#users.put(subject, pending.password);
      this.#forget(subject);
    });
  }

  #forget(subject: string): void {
    clearTimeout(this.#pending.get(subject)?.timer);
    this.#pending.delete(subject);
  }
}
