/** Notices that kafkajs's consumer hangs. */
import type { Consumer } from 'kafkajs';
import { deadline } from '../deadline.ts';
import type { ResolvedConsumer } from '../options.ts';

/** kafkajs's consumer does nothing any more, or waits on a connection that is dead. */
export class HangError extends Error {}

/** How long the coordinator waits for members to join again, in milliseconds: kafkajs's own. Joining is silent for so long. */
export const rebalanceTimeoutMs = 60_000;

/** What comes on top of the longest silence that has a reason, in milliseconds. */
const allowanceMs = 10_000;

/** A check for late answers that comes so late itself, in milliseconds, was held up by this process. */
const heldUpMs = 1_000;

/**
 * Two signs tell a hang. A request without an answer: kafkajs would go on using its connection, which is as likely
 * dead. And silence, whatever its cause: while a consumer works, however slow the app, fetches or heartbeats are answered all the
 * time, or it tries to connect.
 */
export class Watch {
  readonly #silenceMs: number;
  readonly #onHang: (error: HangError) => void;
  #cancel = (): void => undefined;
  #stopped = false;

  constructor(
    consumer: Consumer,
    { requestTimeoutMs, retry }: Pick<ResolvedConsumer, 'requestTimeoutMs' | 'retry'>,
    onHang: (error: HangError) => void,
  ) {
    this.#silenceMs = Math.max(requestTimeoutMs, rebalanceTimeoutMs) + retry.maxMs + allowanceMs;
    this.#onHang = onHang;
    consumer.on('consumer.network.request', () => this.alive());
    // Where all is paused, it fetches nothing and says so.
    consumer.on('consumer.fetch', () => this.alive());
    consumer.on('consumer.network.request_timeout', ({ payload: { broker, apiName, sentAt } }) => {
      // After a blocked event loop the answer may lie unread; a connection that is dead misses the next one, too. JoinGroup has a
      // longer time of kafkajs's own, and is left to silence. SyncGroup is not, though a slow leader of the group may hold it up:
      // kafkajs has given it up by now.
      if (apiName === 'JoinGroup') return;
      if (Date.now() - sentAt - requestTimeoutMs > heldUpMs) return;
      onHang(
        new HangError(
          `broker ${broker} left a request unanswered for ${requestTimeoutMs / 1_000} s`,
        ),
      );
    });
    this.alive();
  }

  /** A sign of life. */
  alive(): void {
    if (this.#stopped) return;
    this.#cancel();
    this.#cancel = deadline(this.#silenceMs, () => {
      this.#onHang(new HangError(`it showed no sign of life for ${this.#silenceMs / 1_000} s`));
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }
}
