/** Lets several drivers share a cluster's hold on the process: it ends when the last of them lets go. */

/** What can keep the process alive. */
export interface Hold {
  ref(): void;
  unref(): void;
}

export class SharedHold implements Hold {
  readonly #hold: Hold;
  #holders = 0;

  constructor(hold: Hold) {
    this.#hold = hold;
  }

  ref(): void {
    this.#holders += 1;
    if (this.#holders === 1) this.#hold.ref();
  }

  unref(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#hold.unref();
  }
}
