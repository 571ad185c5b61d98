/** Remembers why records wait. */
import { type DiagnosticCode, type DiagnosticEvent, diagnosticCodes } from '../../diagnostics.ts';

/** Events that tell of what keeps records from their topic. */
const isTrouble = (code: DiagnosticCode): boolean =>
  ['disconnected', 'token-rejected', 'retry'].includes(diagnosticCodes[code]);

export class LastTrouble {
  #code: DiagnosticCode | null = null;

  /** Null where there is none, or where it has passed. */
  get code(): DiagnosticCode | null {
    return this.#code;
  }

  /** A sink of diagnostics. */
  readonly note = ({ code }: DiagnosticEvent): void => {
    if (isTrouble(code)) this.#code = code;
    else if (code === 'DELIVERY_RESUMED') this.#code = null;
  };
}
