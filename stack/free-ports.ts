/** Ports for servers that cannot choose one themselves. */

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/**
 * Below the range from which Linux (32768 on) and macOS (49152 on) take the ports of outgoing
 * connections: a broker that is down would else find its port taken, or a client that tries to
 * reach it would connect to itself.
 */
const lowest = 15_000;
const highest = 32_767;

/**
 * As many different ports of 127.0.0.1 that nobody listens on, and that are none of `reserved`. They are
 * released just before the answer.
 */
export async function freePorts(
  count: number,
  reserved: readonly number[] = [],
): Promise<number[]> {
  const servers: Server[] = [];
  const ports: number[] = [];
  for (let attempt = 0; ports.length < count && attempt < count + 1000; attempt += 1) {
    const port = randomInt(lowest, highest + 1);
    if (reserved.includes(port)) continue;
    const server = createServer();
    server.listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    servers.push(server);
    ports.push(port);
  }
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  if (ports.length < count) throw new Error(`No ${count} free ports from ${lowest} to ${highest}.`);
  return ports;
}
