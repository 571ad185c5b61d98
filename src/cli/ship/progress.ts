/** The bar on a terminal, and everything else that is said on stderr while it stands there. */
import type { SingleBar } from 'cli-progress';

/** Milliseconds between two looks. */
const intervalMs = 100;

/** Erases the line that the cursor is in: the next look draws the bar below what is said. */
const eraseLine = '\r\u001B[K';

/** How far the work is. */
export interface Progressed {
  readonly bytes: number;
  readonly records: number;
}

export class Progress {
  #bar: SingleBar | null = null;
  #timer: NodeJS.Timeout | undefined;

  /** Begins to show a bar up to so many bytes. */
  async show(totalBytes: number, progressed: () => Progressed): Promise<void> {
    const { SingleBar, Presets } = (await import('cli-progress')).default;
    const bar = new SingleBar(
      {
        format:
          '{bar} {percentage} % | {megabytes} of {totalMegabytes} MB, {records} records acknowledged',
        stream: process.stderr,
        clearOnComplete: true,
        // It would end the process in the middle of its work.
        gracefulExit: false,
      },
      Presets.shades_classic,
    );
    const payload = ({ bytes, records }: Progressed): Record<string, string> => ({
      megabytes: megabytes(bytes),
      totalMegabytes: megabytes(totalBytes),
      records: records.toLocaleString('en'),
    });
    const draw = (): void => {
      const now = progressed();
      bar.update(Math.min(now.bytes, totalBytes), payload(now));
    };
    bar.start(totalBytes, 0, payload({ bytes: 0, records: 0 }));
    this.#bar = bar;
    this.#timer = setInterval(draw, intervalMs);
    this.#timer.unref();
  }

  /** One line on stderr, above the bar. */
  readonly say = (line: string): void => {
    process.stderr.write(`${this.#bar ? eraseLine : ''}${line}\n`);
  };

  end(): void {
    clearInterval(this.#timer);
    this.#bar?.stop();
    this.#bar = null;
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
