/**
 * Pages of `docs/`, and their snippets, run as they stand. A snippet that begins with a comment that holds a file's
 * name and nothing else (`// app.js`, `# deployment.yaml`) is that file: other snippets of its page find it beside them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const docs = fileURLToPath(new URL('../../docs/', import.meta.url));

/** A fenced block of a page. */
export interface Snippet {
  /** As the page has it: `js`, `ts`, `sh`, `text`, … */
  readonly language: string;
  /** The file that it is, by its first line; null where it says none. */
  readonly file: string | null;
  readonly code: string;
}

const fence = /^```(\w+)[^\n]*\n([\s\S]*?)^```$/gm;
const fileComment = /^(?:\/\/|#) ([\w.-]+)\n/;
/** A file without an extension that is known by its name. */
const bareFiles: ReadonlySet<string> = new Set(['Dockerfile']);

/** A page, which remembers the snippets that a test has asked for, or has run: `untested()` answers the others. */
export class DocsPage {
  readonly text: string;
  readonly snippets: readonly Snippet[];
  readonly #asked = new Set<Snippet>();

  /** `name` as in `docs/`, such as `pino.md`. Throws where there is none. */
  constructor(name: string) {
    this.text = readFileSync(join(docs, name), 'utf8');
    this.snippets = [...this.text.matchAll(fence)].map(([, language = '', code = '']) => {
      return { language, file: fileOf(code), code };
    });
  }

  /** The snippet that is this file. Throws where there is none, or more than one. */
  file(name: string): Snippet {
    const [found, another] = this.snippets.filter(({ file }) => file === name);
    if (!found || another) throw new Error(`The page has not one snippet "${name}".`);
    this.#asked.add(found);
    return found;
  }

  /** All snippets that are files. None counts as tested by that: say `ran` of those that are. */
  files(): readonly (Snippet & { readonly file: string })[] {
    return this.snippets.flatMap((snippet) =>
      snippet.file === null ? [] : [{ ...snippet, file: snippet.file }],
    );
  }

  /** A test has run this file, and with it those that it names. It need not be one of the page's. */
  ran(name: string): void {
    for (const { code } of this.#ask(({ file }) => file === name)) {
      const named = this.untested().filter(({ file }) => file && code.includes(`./${file}`));
      for (const { file } of named) if (file !== null) this.ran(file);
    }
  }

  /** All snippets of a language, in the order of the page. */
  ofLanguage(language: string): readonly Snippet[] {
    return this.#ask((snippet) => snippet.language === language);
  }

  /** Each line of the page's `sh` snippets that is a command, long ones put together, comments left out. */
  commands(): readonly string[] {
    const text = this.ofLanguage('sh')
      .map(({ code }) => code)
      .join('\n');
    const lines = text.replaceAll(/ *\\\n */g, ' ').split('\n');
    return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  }

  /** Snippets that no test has asked for until now. */
  untested(): readonly Snippet[] {
    return this.snippets.filter((snippet) => !this.#asked.has(snippet));
  }

  /** Paths of the page's links into the checkout, as the page has them, `#…` included. */
  links(): readonly string[] {
    const prose = this.text.replaceAll(fence, '');
    return [...prose.matchAll(/\]\((?![a-z]+:)([^)]+)\)/g)].map(([, path = '']) => path);
  }

  #ask(isMeant: (snippet: Snippet) => boolean): readonly Snippet[] {
    const found = this.snippets.filter(isMeant);
    for (const snippet of found) this.#asked.add(snippet);
    return found;
  }
}

function fileOf(code: string): string | null {
  const name = fileComment.exec(code)?.[1];
  if (name === undefined) return null;
  return /\.\w+$/.test(name) || bareFiles.has(name) ? name : null;
}
