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
  /** By partition: the last offset that is committed. */
  readonly #settled = new Map<number, bigint>();
  readonly #timer: NodeJS.Timeout;
  #last: Promise<boolean> = Promise.resolve(true);

  constructor(options: PrintCommitsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#soon(), intervalMs);
    this.#timer.unref();
  }

  /** The last commit. Answers whether all that was printed is committed; says what is not. Never rejects. */
  async finish(): Promise<boolean> {
    clearInterval(this.#timer);
    return this.#soon((message) => this.#options.onFailure(`${message} Those records come again.`));
  }

  #soon(onFailure: (message: string) => void = () => undefined): Promise<boolean> {
    this.#last = this.#last.then(() => this.#commit(onFailure));
    return this.#last;
  }

  /** What fails is tried again with the next commit: the group may be sharing its partitions anew. */
  async #commit(onFailure: (message: string) => void): Promise<boolean> {
    const { consumer, topic, output } = this.#options;
    let isComplete = true;
    for (const [partition, offset] of output.accepted) {
      if (this.#settled.get(partition) === offset) continue;
      try {
        await consumer.commit({ topic, partition, offset });
        this.#settled.set(partition, offset);
      } catch (error) {
        isComplete = false;
        onFailure(error instanceof Error ? error.message : String(error));
      }
    }
    return isComplete;
  }
}
