/** The report, for people and for programs. */

import { exitCodes } from '../exit-codes.ts';
import type { coloursOf } from '../output.ts';
import type { CheckResult, Status } from './examination.ts';
import { worstOf } from './exit-status.ts';

const marks: Readonly<Record<Status, string>> = {
  ok: '✔',
  warning: '!',
  failed: '✘',
  skipped: '-',
};

/** Of the longest title. */
const titleWidth = 18;
const indent = ' '.repeat(titleWidth + 3);

type Colours = ReturnType<typeof coloursOf>;

export interface TextForm {
  readonly colours: Colours;
  /** Where lines are broken; null where nobody sees them. */
  readonly columns: number | null;
}

/** One check: its first line, and all else that there is to say of it below. Ends with a newline. */
export function resultText({ title, status, notes }: CheckResult, form: TextForm): string {
  const { colours, columns } = form;
  const colour = {
    ok: colours.green,
    warning: colours.yellow,
    failed: colours.red,
    skipped: colours.dim,
  }[status];
  const width = columns === null ? Number.POSITIVE_INFINITY : Math.max(30, columns - indent.length);
  const plain = status === 'skipped' ? colours.dim : String;
  const lines = notes.flatMap(({ text, advice = '' }) => [
    ...wrapped(text, width).map((line) => plain(line)),
    ...wrapped(advice && `→ ${advice}`, width).map((line) => colours.bold(line)),
  ]);
  const [first = '', ...more] = lines;
  const name = title.padEnd(titleWidth);
  const head = `${colour(marks[status])} ${status === 'failed' ? colour(name) : name} ${first}`;
  return [head.trimEnd(), ...more.map((line) => indent + line)].map((line) => `${line}\n`).join('');
}

/** Lines of whole words. What is said by others may hold anything: no control character reaches the terminal. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/[\p{Cc}\p{Bidi_Control}\s]+/u).filter((one) => one !== '')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** The last line. */
export function summaryText(results: readonly CheckResult[], { colours }: TextForm): string {
  const count = (status: Status): number => results.filter((one) => one.status === status).length;
  const first = results.find(({ status }) => status === 'failed');
  const failed = count('failed');
  const warnings = count('warning');
  const parts = [
    ...(failed === 0 ? [] : [colours.red(`${failed} failed`)]),
    ...(warnings === 0
      ? []
      : [colours.yellow(`${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`)]),
    ...(count('skipped') === 0 ? [] : [`${count('skipped')} not looked at`]),
  ];
  if (first !== undefined)
    return `\n${parts.join(', ')}. Begin with: ${colours.bold(first.title)}.\n`;
  const also = parts.length === 0 ? '' : ` (${parts.join(', ')})`;
  return `\n${colours.green('Nothing failed')}${also}.\n`;
}

/** The worst exit status of all failures; 0 where there is none. */
export function exitStatusOfAll(results: readonly CheckResult[]): number {
  return worstOf(results.map(({ exitStatus }) => exitStatus));
}

/** One JSON object. */
export function reportObject(results: readonly CheckResult[]): object {
  const exitCode = exitStatusOfAll(results);
  return {
    status: exitCode === exitCodes.ok ? 'ok' : 'failed',
    exitCode,
    checks: results.map(({ id, title, status, notes, ms }) => ({
      id,
      title,
      status,
      detail: notes.map(({ text }) => text).join('\n'),
      advice:
        notes.flatMap(({ advice = '' }) => (advice === '' ? [] : [advice])).join('\n') || null,
      ms,
    })),
  };
}

/** What is waited for, on a line that is overwritten: only where a person watches. */
export interface Progress {
  show(plan: { readonly title: string; readonly waitsFor: string }): void;
  clear(): void;
}

export function progressOn(
  stream: { readonly isTTY?: boolean; write(text: string): unknown },
  { json }: { readonly json?: boolean },
): Progress {
  if (json || stream.isTTY !== true || process.env['TERM'] === 'dumb') {
    return { show: () => undefined, clear: () => undefined };
  }
  return {
    show: ({ title, waitsFor }) => {
      stream.write(`… ${title.padEnd(titleWidth)} waiting for ${waitsFor}`);
    },
    // Back to the line's beginning, and erase it (ECMA-48: CR, EL).
    clear: () => {
      stream.write('\r\u001b[2K');
    },
  };
}
