/** SCRAM's client side (RFC 5802, RFC 7677), without channel binding, as Kafka uses it. */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

/** The server broke the rules of the exchange, or could not prove that it knows the password. */
export class ScramError extends Error {
  override readonly name = 'ScramError';
}

/** Least and most iterations taken: fewer than RFC 7677's minimum help a thief, more than this block the client. */
const minIterations = 4096;
const maxIterations = 1_000_000;

const derive = promisify(pbkdf2);

/** One sign-in: `first()`, `final(challenge)`, `verify(answer)`, in this order. */
export class ScramExchange {
  readonly #digest: 'sha256' | 'sha512';
  readonly #username: string;
  readonly #password: string;
  readonly #nonce: string;
  #serverSignature: Buffer | null = null;

  /** `nonce` is for tests: it must be new for each exchange. */
  constructor(
    mechanism: ScramMechanism,
    credentials: { readonly username: string; readonly password: string },
    nonce: string = randomBytes(24).toString('base64url'),
  ) {
    this.#digest = mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512';
    this.#username = credentials.username;
    this.#password = credentials.password;
    this.#nonce = nonce;
  }

  /** client-first-message. */
  first(): string {
    return `n,,${this.#firstBare()}`;
  }

  /** client-final-message for the server's first. Throws `ScramError`. */
  async final(serverFirst: string): Promise<string> {
    const fields = attributes(serverFirst);
    const nonce = fields.get('r') ?? '';
    const salt = Buffer.from(fields.get('s') ?? '', 'base64');
    const iterations = Number(fields.get('i'));
    if (fields.has('m')) throw new ScramError('the server asks for an unknown extension');
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) {
      throw new ScramError('the server does not continue the nonce');
    }
    if (salt.length === 0) throw new ScramError('the server sends no salt');
    if (!Number.isInteger(iterations) || iterations < minIterations || iterations > maxIterations) {
      throw new ScramError(
        `the server asks for ${fields.get('i')} iterations, and ${minIterations} to ${maxIterations} are taken`,
      );
    }
    const digest = this.#digest;
    const length = digest === 'sha256' ? 32 : 64;
    const salted = await derive(this.#password, salt, iterations, length, digest);
    const withoutProof = `c=biws,r=${nonce}`;
    const message = `${this.#firstBare()},${serverFirst},${withoutProof}`;
    const clientKey = hmac(digest, salted, 'Client Key');
    const storedKey = createHash(digest).update(clientKey).digest();
    const signature = hmac(digest, storedKey, message);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
    this.#serverSignature = hmac(digest, hmac(digest, salted, 'Server Key'), message);
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  /** Checks server-final-message: without it, anybody could play the server. Throws `ScramError`. */
  verify(serverFinal: string): void {
    const fields = attributes(serverFinal);
    const refusal = fields.get('e');
    if (refusal !== undefined) throw new ScramError(`the server refuses: ${refusal}`);
    const given = Buffer.from(fields.get('v') ?? '', 'base64');
    const wanted = this.#serverSignature;
    if (wanted === null || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      throw new ScramError('the server does not prove that it knows the password');
    }
  }

  #firstBare(): string {
    const name = this.#username.replaceAll('=', '=3D').replaceAll(',', '=2C');
    return `n=${name},r=${this.#nonce}`;
  }
}

function attributes(message: string): Map<string, string> {
  return new Map(message.split(',').map((item) => [item.slice(0, 1), item.slice(2)]));
}

function hmac(digest: string, key: Buffer, message: string): Buffer {
  return createHmac(digest, key).update(message).digest();
}
