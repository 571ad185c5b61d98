/** A process with a `diagnostics` module: run by a test, to see whether it lives on whatever the module does. */
import { createDiagnostics } from '../../src/diagnostics.ts';

const [url = ''] = process.argv.slice(2);
const diagnostics = createDiagnostics(url);
diagnostics.emit('BUFFER_FULL', 'before the module is loaded');
await import(url).catch(() => {});
// The module's own waiting is done by then, and so is the check for unhandled rejections.
await new Promise((resolve) => setImmediate(resolve));
diagnostics.emit('BUFFER_FULL', 'after');
await new Promise((resolve) => setImmediate(resolve));
process.stdout.write('alive\n');
