/** Lines through pino-abstract-transport: parsed, for a transform. */
import type { Transform as TransformStream } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import build from 'pino-abstract-transport';
import { messageOf } from './json.ts';
import { asFields, type Fields } from './record-builder.ts';

/** Receives each line with its fields, or with the reason why it has none. */
export interface LineReceiver {
  parsed(line: string, fields: Fields): void;
  unparsable(line: string, reason: string): void;
}

/** The abstract transport hands on what `parseLine` answers: the line is kept beside its fields. */
class ParsedLine {
  readonly line: string;
  readonly fields: Fields;

  constructor(line: string, fields: Fields) {
    this.line = line;
    this.fields = fields;
  }
}

export class TransformedLines {
  readonly #source: TransformStream;

  constructor(receiver: LineReceiver) {
    this.#source = build(
      (source) => {
        // Listeners, not an async iterator: every line is received before the stream closes.
        source.on('data', (parsed: unknown) => {
          if (parsed instanceof ParsedLine) receiver.parsed(parsed.line, parsed.fields);
        });
        source.on('unknown', (line, error) => {
          receiver.unparsable(line, messageOf(error));
        });
      },
      { parseLine, metadata: false },
    );
  }

  /** `line` without its newline. */
  write(line: string): void {
    this.#source.write(`${line}\n`);
  }

  /** Resolves when every line written so far has been received. */
  async received(): Promise<void> {
    while (this.#source.writableLength + this.#source.readableLength > 0) await nextTurn();
  }

  /** Resolves when every line has been received. */
  async end(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#source.once('close', resolve);
      this.#source.end();
    });
  }
}

/** Throws for what is no JSON object: the abstract transport reports it as unknown. */
function parseLine(line: string): ParsedLine {
  const fields = asFields(JSON.parse(line));
  if (!fields) throw new Error('it is no JSON object');
  return new ParsedLine(line, fields);
}
