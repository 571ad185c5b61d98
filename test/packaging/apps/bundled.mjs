// Becomes one file with all that it imports.
import { DiasporaLogger } from 'diaspora-logger';

const producer = new DiasporaLogger();
const { partition } = await producer.send(process.argv[2], 'bundled');
await producer.close();
process.stdout.write(`partition ${partition}\n`);
