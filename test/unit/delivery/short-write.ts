/** Writes two dead letters where the second does not fit: run by a test under a limit on file size. */
import { readFileSync } from 'node:fs';
import { DeadLetters } from '../../../src/delivery/dead-letters.ts';

const letters = new DeadLetters(process.argv[2] ?? '', 'source');
const at = { reason: 'RECORD_INVALID', message: 'why', topic: 'logs', partition: 0, stamp: null };
const record = (value: string) => ({ key: null, value, headers: [], timestamp: 0 });
letters.write([record('first')], at);
let refused = false;
try {
  letters.write([record('x'.repeat(100_000))], at);
} catch {
  refused = true;
}
letters.write([record('third')], at);
process.stdout.write(JSON.stringify({ refused, content: readFileSync(letters.file, 'utf8') }));
