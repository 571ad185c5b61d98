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

const end = Date.now() + 3_600_000;

/** A source of the tokens of a module that answers this. */
function answering(answer: unknown) {
  const path = join(temporaryDirectory(), 'token.mjs');
  writeFileSync(path, `export default () => (${JSON.stringify(answer)});`);
  const source = createTokenSource({ auth: { type: 'token', module: pathToFileURL(path).href } });
  onTestFinished(() => source.close());
  return source;
}

it.each(['e30.e30-_~+/==\n', { value: ' e30.e30-_~+/==\r\n', expiresAt: end }])(
  'a token is given without the blanks around it: %j',
  async (answer) => {
    expect((await answering(answer).token()).value).toBe('e30.e30-_~+/==');
  },
);

it.each([
  '',
  '\n',
  'two words',
  'two\nlines',
  'a\u0001auth=b',
  't\u00f6ken',
  '{"access_token":"a"}',
  null,
  { value: 7 },
  { value: 'fine', expiresAt: 1 },
  { value: 'fine', expiresAt: 'soon' },
])('what is no token is refused, and not repeated: %j', async (answer) => {
  const failure = await answering(answer)
    .token()
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: 'TOKEN_MODULE_FAILED',
    message: expect.stringMatching(
      /must answer a token, or \{ value, expiresAt \} with milliseconds that are still to come; a token has letters, digits and -._~\+\/= alone\.$/,
    ),
  });
});
