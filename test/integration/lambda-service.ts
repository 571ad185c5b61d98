/**
 * AWS Lambda's side of a function: its runtime API, and the freezer. The process is stopped (SIGSTOP) in the moment in which
 * it asks for its next invocation, and goes on (SIGCONT) when there is one.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { type Ended, type RunningApp, startApp } from './built-package.ts';

export interface Invocation {
  /** What the handler answered, or what it threw: `{ errorMessage, errorType }`. */
  readonly answer: unknown;
  readonly failed: boolean;
  /** Milliseconds from the event to the answer. */
  readonly tookMs: number;
}

export interface LambdaOptions {
  /** A file with the export `handler`. */
  readonly file: string;
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of each invocation, in milliseconds. Default 3,000, as at AWS. */
  readonly timeoutMs?: number;
}

/** A promise that is resolved from outside. Node 20 has no Promise.withResolvers. */
interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: (value) => resolve(value) };
}

/** One process of a function. */
export class LambdaFunction implements AsyncDisposable {
  readonly #app: RunningApp;
  readonly #server: ReturnType<typeof createServer>;
  readonly #timeoutMs: number;
  /** The runtime's request for its next invocation: while there is one, the process is frozen. */
  #next = deferred<ServerResponse>();
  #answer = deferred<Pick<Invocation, 'answer' | 'failed'>>();

  private constructor(app: RunningApp, server: ReturnType<typeof createServer>, timeoutMs: number) {
    this.#app = app;
    this.#server = server;
    this.#timeoutMs = timeoutMs;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start({
    file,
    directory,
    env,
    timeoutMs = 3_000,
  }: LambdaOptions): Promise<LambdaFunction> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('No port.');
    const api = { AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${address.port}` };
    const runtime = 'test/integration/apps/lambda-runtime.mjs';
    const app = startApp(runtime, [file], { ...env, ...api }, process.execPath, directory);
    return new LambdaFunction(app, server, timeoutMs);
  }

  get pid(): number {
    return this.#app.pid;
  }

  /** Thaws the process for one invocation, and answers when it is frozen again. */
  async invoke(event: unknown): Promise<Invocation> {
    const response = await this.#orEnd(this.#next.promise);
    this.#next = deferred();
    this.#answer = deferred();
    this.#app.kill('SIGCONT');
    const begun = performance.now();
    response.setHeader('lambda-runtime-aws-request-id', randomUUID());
    response.setHeader('lambda-runtime-deadline-ms', Date.now() + this.#timeoutMs);
    response.end(JSON.stringify(event));
    const answer = await this.#orEnd(this.#answer.promise);
    const tookMs = performance.now() - begun;
    await this.#orEnd(this.#next.promise);
    return { ...answer, tookMs };
  }

  /** Ends the process as AWS does, without a word. Answers what it wrote. */
  async end(): Promise<Ended> {
    this.#app.kill('SIGKILL');
    const end = await this.#app.ended;
    this.#server.closeAllConnections();
    this.#server.close();
    return end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.endsWith('/next')) {
      this.#app.kill('SIGSTOP');
      this.#next.resolve(response);
      return;
    }
    const answer = await json(request);
    response.writeHead(202).end();
    this.#answer.resolve({ answer, failed: request.url?.endsWith('/error') ?? false });
  }

  #orEnd<T>(promise: Promise<T>): Promise<T> {
    const ended = this.#app.ended.then((end) => {
      throw new Error(`The function's process ended: ${JSON.stringify(end)}`);
    });
    return Promise.race([promise, ended]);
  }
}
