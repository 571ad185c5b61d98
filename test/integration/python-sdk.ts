/** The event service's Python SDK as a process that does what it is told; see apps/python/commands.py. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const scripts = fileURLToPath(new URL('apps/python/', import.meta.url));

/** What stands before an answer. */
const mark = '> ';

export interface PythonSdkOptions {
  /** Path of an interpreter with the SDK. */
  readonly python: string;
  readonly script: 'event_sdk.py' | 'event_sdk_v1.py';
  /** All of its environment but PATH. */
  readonly env: Readonly<Record<string, string>>;
  /** Signs in at an authorize URL and answers the code. Left out: that it asks is an error. */
  readonly signIn?: (authorizeUrl: string) => Promise<string>;
}

export class PythonSdk implements Disposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #signIn: PythonSdkOptions['signIn'];
  readonly #ended: Promise<void>;
  #hasEnded = false;
  #unread = '';
  #said = '';

  private constructor({ python, script, env, signIn }: PythonSdkOptions) {
    this.#child = spawn(python, [scripts + script], {
      // Nothing is left beside the scripts.
      env: { PATH: process.env['PATH'], PYTHONDONTWRITEBYTECODE: '1', ...env },
    });
    this.#signIn = signIn;
    this.#ended = once(this.#child, 'close').then(() => {
      this.#hasEnded = true;
    });
    this.#child.stdin.on('error', () => {});
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#unread += text;
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
  }

  /** Answers once it is signed in. */
  static async start(options: PythonSdkOptions): Promise<PythonSdk> {
    const sdk = new PythonSdk(options);
    try {
      await sdk.#answer();
    } catch (error) {
      sdk.#child.kill();
      throw error;
    }
    return sdk;
  }

  /** Of a function that the script offers: what it answers, as JSON has it. Throws what it raises. */
  async call(name: string, ...args: readonly unknown[]): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify([name, ...args])}\n`);
    return this.#answer();
  }

  async #answer(): Promise<unknown> {
    for (;;) {
      const lines = this.#unread.split('\n').slice(0, -1);
      const answer = lines.find((line) => line.startsWith(mark));
      const authorizeUrl = /https?:\S+(?=\n)/.exec(this.#unread)?.[0];
      if (answer !== undefined) {
        this.#unread = '';
        const { value, error } = JSON.parse(answer.slice(mark.length));
        if (error !== undefined) throw new Error(error);
        return value;
      }
      if (authorizeUrl !== undefined) {
        this.#unread = '';
        if (!this.#signIn) throw new Error('The SDK asks for a sign-in.');
        this.#child.stdin.write(`${await this.#signIn(authorizeUrl)}\n`);
      } else if (this.#hasEnded) {
        throw new Error(`The SDK has ended: ${this.#said}`);
      } else {
        await Promise.race([once(this.#child.stdout, 'data'), this.#ended]);
      }
    }
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}
