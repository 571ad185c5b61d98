/** A process that asks a broker once, and then has nothing to do: run by a test, to see whether it ends. */
import { Diagnostics } from '../../../src/diagnostics.ts';
import { Cluster } from '../../../src/wire/cluster.ts';
import { initProducerId } from '../../../src/wire/requests/init-producer-id.ts';

const [port] = process.argv.slice(2);
const cluster = new Cluster({
  bootstrapBrokers: [{ host: '127.0.0.1', port: Number(port) }],
  clientId: 'child',
  tls: null,
  signIn: null,
  requestTimeoutMs: 5_000,
  diagnostics: new Diagnostics(),
});
const alive = setInterval(() => {}, 1_000);
await cluster.request(null, initProducerId, {});
process.stdout.write('asked\n');
clearInterval(alive);
process.on('exit', () => process.stdout.write('exit\n'));
// Unreferenced: it fires only where something else keeps the process alive.
setTimeout(() => process.stdout.write('held\n'), 300).unref();
