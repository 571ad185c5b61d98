/** A process that starts a stack, says where it is, and waits to be killed. For stack.test.ts. */

import { startStack } from '../../stack/stack.ts';

const { brokers, directory } = await startStack();
const [broker] = brokers;
if (process.argv.includes('--freeze')) broker?.freeze();
console.log(JSON.stringify({ pid: broker?.pid, directory }));
