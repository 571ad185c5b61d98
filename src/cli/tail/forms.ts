/** The forms in which records are printed. */
import type { ConsumedRecord } from '../../consume/read-topic.ts';
import { coloursOf } from '../output.ts';
import { jsonForm } from './json-form.ts';
import type { RecordContent } from './record-content.ts';

/** Null where there is nothing to print. */
export type Form = (record: ConsumedRecord, content: RecordContent) => string | Buffer | null;

/** Text and colours for a person at a terminal; for programs the values as they are, or JSON with all that Kafka keeps. */
export async function formFor(
  stdout: { readonly isTTY?: boolean },
  { json }: { readonly json?: boolean },
): Promise<Form> {
  if (json) return jsonForm;
  if (stdout.isTTY !== true) return rawForm;
  const { prettyPrint } = await import('./pretty.ts');
  return prettyPrint({ colour: coloursOf(stdout).isColorSupported });
}

const newline = Buffer.from('\n');

/** A line. A tombstone has none: an empty line would be a broken record to whoever parses them. */
const rawForm: Form = ({ value }) => (value === null ? null : Buffer.concat([value, newline]));
