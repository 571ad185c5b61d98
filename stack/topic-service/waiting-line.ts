/** Who may work at the same time: one at a time for a name, or a few at a time in all. */
import { busy } from './work-limit.ts';

/** Runs tasks of the same name one after the other, in the order in which they came. */
export class OnePerName {
  readonly #last = new Map<string, Promise<unknown>>();

  async run<T>(name: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const mine = before.then(task, task);
    this.#last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(name) === mine) this.#last.delete(name);
    }
  }
}

/** Lets at most `limit` tasks run at once; as many others as `longest` wait in line. */
export class Gate {
  readonly #limit: number;
  readonly #longest: number;
  readonly #waiting: { readonly enter: () => void; readonly refuse: (why: Error) => void }[] = [];
  #running = 0;
  #isClosed = false;
  #ended: () => void = () => {};

  constructor(limit: number, longest: number) {
    this.#limit = limit;
    this.#longest = longest;
  }

  /** @throws Refusal where the line is full, or the gate is closed before the task's turn has come. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw busy();
    if (this.#running < this.#limit) this.#running += 1;
    else if (this.#waiting.length >= this.#longest) throw busy();
    else await new Promise<void>((enter, refuse) => this.#waiting.push({ enter, refuse }));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next.enter();
      else this.#running -= 1;
      if (this.#running === 0) this.#ended();
    }
  }

  /** Turns away whoever waits or comes later. Answers when what has begun is done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { refuse } of this.#waiting.splice(0)) refuse(busy());
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
  }
}
