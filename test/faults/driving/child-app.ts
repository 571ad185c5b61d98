/** A program of `apps/` as a process of its own, which does what it is told and answers. */
import { type ChildProcess, fork } from 'node:child_process';
import { channel } from 'node:diagnostics_channel';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';

interface Answer {
  readonly id: number;
}

export interface AppEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildAppOptions {
  /** In `apps/`. */
  readonly file: string;
  readonly args: readonly string[];
  /** Beside the system's own: nothing of this process's `DIASPORA_` variables. */
  readonly env: Readonly<Record<string, string>>;
}

/** Name of the `node:diagnostics_channel` of this process on which each app is told of. */
const started = 'faults:child-app';

/** Tells of each app that is started from now on, until the answer is called. */
export function onStart(tell: (app: ChildApp<object>) => void): () => void {
  const listen = (app: unknown): void => {
    if (app instanceof ChildApp) tell(app);
  };
  channel(started).subscribe(listen);
  return () => void channel(started).unsubscribe(listen);
}

/** `Reply` is what the program answers each command with; the program is this repository's own, and trusted to. */
export class ChildApp<Reply extends object> {
  readonly #child: ChildProcess;
  readonly #answers = new EventEmitter<{ answer: [Answer & Reply]; output: []; ended: [] }>();
  readonly #ended: Promise<AppEnd>;
  #output = '';
  #end: AppEnd | null = null;
  #commands = 0;

  constructor({ file, args, env }: ChildAppOptions) {
    const path = fileURLToPath(new URL(`../apps/${file}`, import.meta.url));
    this.#child = fork(path, [...args], {
      env: { ...systemEnvironment(), ...env },
      execArgv: ['--disable-warning=TimeoutNegativeWarning'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
        this.#answers.emit('output');
      });
    }
    this.#answers.setMaxListeners(0);
    this.#child.on('message', (answer: Answer & Reply) => this.#answers.emit('answer', answer));
    this.#ended = once(this.#child, 'close').then(() => {
      this.#end = { code: this.#child.exitCode, signal: this.#child.signalCode };
      this.#answers.emit('ended');
      return this.#end;
    });
    channel(started).publish(this);
  }

  /** Everything that it has printed, on either stream. */
  get output(): string {
    return this.#output;
  }

  /** Its diagnostics that were printed, by their code, in order. */
  get diagnostics(): { readonly code: string; readonly line: string }[] {
    return [...this.#output.matchAll(/^diaspora-logger ([A-Z_]+): .*$/gm)].map(([line, code]) => ({
      code: String(code),
      line,
    }));
  }

  /** Resolves once the program is up. */
  ready(): Promise<Reply> {
    return this.#answer(0);
  }

  async tell(command: string, argument: unknown = null): Promise<Reply> {
    this.#commands += 1;
    const answer = this.#answer(this.#commands);
    if (this.#child.connected) this.#child.send({ id: this.#commands, command, argument });
    return answer;
  }

  /** Resolves when a diagnostic of this code has been printed: the line. Rejects when the process ends before. */
  async said(code: string): Promise<string> {
    for (;;) {
      const found = this.diagnostics.find((one) => one.code === code);
      if (found) return found.line;
      this.#throwIfEnded(`said ${code}`);
      await this.#next('output');
    }
  }

  /** Of the process. */
  ended(): Promise<AppEnd> {
    return this.#ended;
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal);
  }

  async #answer(id: number): Promise<Reply> {
    const given: (Answer & Reply)[] = [];
    const listen = (answer: Answer & Reply): void => void given.push(answer);
    this.#answers.on('answer', listen);
    try {
      for (;;) {
        const found = given.find((answer) => answer.id === id);
        if (found) return found;
        this.#throwIfEnded(`answered command ${id}`);
        await this.#next('answer');
      }
    } finally {
      this.#answers.off('answer', listen);
    }
  }

  /** Resolves at the end of the process, too. */
  async #next(event: 'answer' | 'output'): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#answers.off(event, done);
        this.#answers.off('ended', done);
        resolve();
      };
      this.#answers.on(event, done);
      this.#answers.on('ended', done);
    });
  }

  #throwIfEnded(what: string): void {
    if (!this.#end) return;
    throw new Error(
      `The app ended before it ${what}: ${JSON.stringify(this.#end)}\n${this.#output}`,
    );
  }
}

function systemEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !name.startsWith('DIASPORA_') && name !== 'NODE_OPTIONS',
    ),
  );
}
