/** What an app finds in its directory of dead letters. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One record that was set aside. */
export interface DeadLettered {
  readonly reason: string;
  /** What the app had logged. */
  readonly logged: { readonly front: string; readonly n: number; readonly padding?: string };
}

/** In the order in which each app set them aside. */
export async function deadLettered(directory: string): Promise<DeadLettered[]> {
  const names = (await readdir(directory)).filter((name) => name.startsWith('dead-letters-'));
  const files = names.map((name) => readFile(join(directory, name), 'utf8'));
  return (await Promise.all(files))
    .flatMap((text) => text.trimEnd().split('\n'))
    .map((line) => {
      const { reason, record } = JSON.parse(line);
      return { reason, logged: JSON.parse(record.value) };
    });
}
