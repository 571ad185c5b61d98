/** Commits what has been printed, and nothing else. */
import type { DiasporaConsumer } from '../../consume/consumer.ts';
import type { PrintedOutput } from './printed-output.ts';

/** Between two commits, in milliseconds: what was printed since the last one is printed again after a SIGKILL. */
const intervalMs = 1_000;

export interface PrintCommitsOptions {
  readonly consumer: DiasporaConsumer;
  readonly topic: string;
  readonly output: PrintedOutput;
  /** Told of a commit that failed: those records come again. */
  readonly onFailure: (message: string) => void;
}

export class PrintCommits {
  readonly #options: PrintCommitsOptions;
  readonly #committed = new Map<number, bigint>();
  readonly #timer: NodeJS.Timeout;
  #last: Promise<void> = Promise.resolve();

  constructor(options: PrintCommitsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#soon(), intervalMs);
    this.#timer.unref();
  }

  /** The last commit. Never rejects. */
  async finish(): Promise<void> {
    clearInterval(this.#timer);
    await this.#soon();
  }

  #soon(): Promise<void> {
    this.#last = this.#last.then(() => this.#commit());
    return this.#last;
  }

  async #commit(): Promise<void> {
    const { consumer, topic, output, onFailure } = this.#options;
    for (const [partition, offset] of output.accepted) {
      if (this.#committed.get(partition) === offset) continue;
      try {
        await consumer.commit({ topic, partition, offset });
      } catch (error) {
        // Such as where the partition has gone to another member, which reads those records again.
        onFailure(error instanceof Error ? error.message : String(error));
      }
      // Also where it failed: a partition that is lost would fail for ever.
      this.#committed.set(partition, offset);
    }
  }
}
