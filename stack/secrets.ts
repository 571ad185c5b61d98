/** A stack's secrets, told as they come up: for whoever checks that programs keep them to themselves. */
import { channel } from 'node:diagnostics_channel';

export interface Secret {
  /** What it is, with its article, such as `a refresh token`. */
  readonly kind: string;
  readonly value: string;
}

/** Name of the `node:diagnostics_channel`, within the process that runs the stack. */
const channelName = 'diaspora-stack:secret';

export function announceSecret(secret: Secret): void {
  channel(channelName).publish(secret);
}

/** Tells of each secret from now on, until the answer is called. */
export function onSecret(tell: (secret: Secret) => void): () => void {
  const told = channel(channelName);
  const listen = (message: unknown): void => {
    if (isSecret(message)) tell(message);
  };
  told.subscribe(listen);
  return () => void told.unsubscribe(listen);
}

const isSecret = (message: unknown): message is Secret =>
  typeof message === 'object' && message !== null && 'kind' in message && 'value' in message;
