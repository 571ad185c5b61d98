/** Waits for a line in a log file that another process writes. */

import { open, readFile } from 'node:fs/promises';

const pollMs = 25;

/** Answers once `text` stands in the file at byte `from` or later, or false once the signal is aborted. */
export async function waitForLine(
  file: string,
  from: number,
  text: string,
  signal: AbortSignal,
): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(65_536);
    let at = from;
    let tail = '';
    while (!signal.aborted) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) {
        await new Promise((resolve) => setTimeout(resolve, pollMs));
        continue;
      }
      at += bytesRead;
      tail += buffer.toString('latin1', 0, bytesRead);
      if (tail.includes(text)) return true;
      tail = tail.slice(-text.length);
    }
    return false;
  } finally {
    await handle.close();
  }
}

/** What a log says last, errors first where there are some: for a person who must find out what went wrong. */
export async function endOfLog(file: string, from: number): Promise<string> {
  const lines = (await readFile(file)).subarray(from).toString().split('\n');
  const errors = lines.filter((line) => /\b(ERROR|FATAL|Exception)\b/.test(line)).slice(0, 5);
  return [...errors, ...lines.slice(-15)].join('\n');
}
