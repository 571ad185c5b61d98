/** SaslHandshake: names the mechanism that the client signs in with. */
import type { Api } from '../api.ts';

export interface SaslHandshakeReply {
  readonly errorCode: number;
  /** What the broker offers on this listener. */
  readonly mechanisms: readonly string[];
}

/** Version 1 only: with version 0 the exchange that follows has no frames of Kafka's own. */
export const saslHandshake: Api<{ readonly mechanism: string }, SaslHandshakeReply> = {
  key: 17,
  name: 'SaslHandshake',
  minVersion: 1,
  maxVersion: 1,
  flexible: () => false,
  encode({ mechanism }, _version, writer) {
    writer.string(mechanism);
  },
  decode: (reader) => ({
    errorCode: reader.int16(),
    mechanisms: reader.array(() => reader.string()),
  }),
};
