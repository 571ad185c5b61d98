/** Real text to log: the log files of this system, else the documents that came with the dependencies. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Enough to look at, and little enough to be read back in seconds, in bytes. */
const enough = 400_000;

/** Paths of readable text files, some hundred kilobytes in all, at least one. */
export function systemTextFiles(): string[] {
  const files: string[] = [];
  let bytes = 0;
  for (const file of [...listed('/var/log', /\.log$/), ...listed('node_modules', /\.md$/i)]) {
    if (bytes >= enough) break;
    const size = textSize(file);
    if (size === 0) continue;
    files.push(file);
    bytes += size;
  }
  return files;
}

function listed(directory: string, name: RegExp): string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((file) => name.test(file))
      .sort()
      .map((file) => join(directory, file));
  } catch {
    return [];
  }
}

/** Size of a text file; 0 for one that is not text, too large, or not to be read. */
function textSize(file: string): number {
  try {
    if (!statSync(file).isFile() || statSync(file).size > 2 * enough) return 0;
    const content = readFileSync(file);
    return content.includes(0) ? 0 : content.length;
  } catch {
    return 0;
  }
}
