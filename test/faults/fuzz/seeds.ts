/** Where the random part of a test begins: printed by its results, and given again to see the same. */

/** `FAULTS_SEED` names one seed, or several by comma; without it a test takes its own. */
export function seedsOr(own: readonly number[]): readonly number[] {
  const given = process.env['FAULTS_SEED'];
  return given === undefined ? own : given.split(',').map(Number);
}

/** Numbers that follow from a seed alone (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to `below` − 1. */
  integer(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  chance(part: number): boolean {
    return this.integer(1_000_000) < part * 1_000_000;
  }

  /** One of them: of none there is none to take. */
  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.integer(choices.length)] ?? choices[0];
  }
}

/** For a table: `1 to 20`, or each. */
export function shownSeeds(seeds: readonly number[]): string {
  const [first = 0] = seeds;
  const inARow = seeds.length > 2 && seeds.every((seed, i) => seed === first + i);
  return inARow ? `${first} to ${first + seeds.length - 1}` : seeds.join(', ');
}
