/** The topic service's server with routes of a test's own, and a Globus that answers what a test says: all on real sockets. */
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { FastifyInstance } from 'fastify';
import { onTestFinished } from 'vitest';
import { createServer } from '../../../stack/topic-service/server.ts';

export const subject = '11111111-2222-4333-8444-555555555555';

export interface TestServer {
  readonly url: string;
  readonly log: readonly string[];
  /** Sends bytes, and leaves the connection to the test. */
  send(bytes: string): Socket;
}

export async function listening(
  atOnce: number,
  addRoutes: (app: FastifyInstance) => void,
): Promise<TestServer> {
  const log: string[] = [];
  const app = await createServer({
    url: 'http://127.0.0.1',
    log: (line) => void log.push(line),
    showRefusal: () => false,
    atOnce,
    connections: 1_000,
  });
  addRoutes(app);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.close());
  const send = (bytes: string): Socket => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytes);
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  return { url, log, send };
}

/** What Globus was asked. */
export interface Question {
  readonly authorization: string | undefined;
  readonly body: string;
}

/** `answer`: of each question; the test may keep it waiting. */
export async function globus(
  answer: (question: Question) => Promise<object> | object,
  status = 200,
): Promise<{ readonly introspectionUrl: string; readonly questions: readonly Question[] }> {
  const questions: Question[] = [];
  const server = createHttpServer(async (request: IncomingMessage, response) => {
    const { authorization } = request.headers;
    const question = { authorization, body: await text(request) };
    questions.push(question);
    const body = JSON.stringify(await answer(question));
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { introspectionUrl: `http://127.0.0.1:${port}/introspect`, questions };
}
