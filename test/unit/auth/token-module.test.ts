import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { createTokenSource } from '../../../src/auth/token-source.ts';
import { Heard, temporaryDirectory } from './signed-in.ts';

it.each([
  [
    'a function',
    'let calls = 0; export default () => ++calls === 1 ? new Promise(() => {}) : "fine";',
  ],
  ['a module', 'await new Promise(() => {}); export default () => "never";'],
])('%s that never answers is given up, and asked again by the next call', async (what, code) => {
  const path = join(temporaryDirectory(), 'token.mjs');
  writeFileSync(path, code);
  const heard = new Heard();
  const source = createTokenSource({
    auth: { type: 'token', module: pathToFileURL(path).href },
    diagnostics: heard.diagnostics,
    requestTimeoutMs: 100,
  });
  onTestFinished(() => source.close());
  const first = source.token();
  await expect(first).rejects.toMatchObject({ code: 'TOKEN_MODULE_FAILED', retriable: true });
  expect(heard.events[0]?.message).toContain('no answer within 100 ms');
  const second = source.token();
  if (what === 'a function') expect((await second).value).toBe('fine');
  else await expect(second).rejects.toThrow(/no answer within 100 ms/);
});
