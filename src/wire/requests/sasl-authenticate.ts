/** SaslAuthenticate: carries the messages of the SASL mechanism. */
import type { Api } from '../api.ts';

export interface SaslAuthenticateReply {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly authBytes: Buffer;
  /** Milliseconds until the broker wants the client to sign in again; 0 where it never does (KIP-368). */
  readonly sessionLifetimeMs: bigint;
}

export const saslAuthenticate: Api<{ readonly authBytes: Buffer }, SaslAuthenticateReply> = {
  key: 36,
  name: 'SaslAuthenticate',
  minVersion: 0,
  maxVersion: 2,
  flexible: (version) => version >= 2,
  encode({ authBytes }, _version, writer) {
    writer.bytes(authBytes);
    writer.tags();
  },
  decode(reader, version) {
    const reply = {
      errorCode: reader.int16(),
      errorMessage: reader.nullableString(),
      authBytes: reader.bytes(),
      sessionLifetimeMs: version >= 1 ? reader.int64() : 0n,
    };
    reader.tags();
    return reply;
  },
};
