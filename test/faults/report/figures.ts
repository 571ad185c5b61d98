/** What a test has measured, told to the reporter that writes docs/reliability.md. */
import type { TestContext } from 'vitest';

/** One line of a table: cells by heading. */
export type Figures = Readonly<Record<string, string | number>>;

/** A line, and the table that it belongs to: a name that docs/reliability.md has a place for. */
export interface ReportedFigures {
  readonly table: string;
  readonly figures: Figures;
}

declare module 'vitest' {
  interface TaskMeta {
    figures?: ReportedFigures[];
  }
}

/** Tells before the test checks anything, so that a run that fails is in the table as it was. */
export function reportFigures({ task }: TestContext, table: string, figures: Figures): void {
  task.meta.figures = [...(task.meta.figures ?? []), { table, figures }];
}
