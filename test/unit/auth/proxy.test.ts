import { expect, it } from 'vitest';
import { proxyAuthorization, proxyFor } from '../../../src/auth/proxy.ts';
import { createTokenSource } from '../../../src/auth/token-source.ts';
import { ConfigurationError } from '../../../src/errors.ts';

const target = new URL('https://auth.globus.org/');

it.each([
  'http://joe:hunter2@proxy:port',
  'joe:hunter2@proxy:99999',
  'socks5://joe:hunter2@proxy:1080',
  'http://joe:hunter2%zz@proxy:3128',
  'http://',
])('a proxy that cannot be used is an error that does not quote it: %s', (setting) => {
  for (const variable of ['HTTPS_PROXY', 'https_proxy']) {
    const find = (): unknown => proxyFor(target, { [variable]: setting });
    expect(find).toThrow(ConfigurationError);
    expect(find).toThrow(variable);
    expect(find).not.toThrow(/hunter2|zz/);
  }
  expect(proxyFor(target, { HTTPS_PROXY: setting, NO_PROXY: 'globus.org' })).toBeNull();
});

it('a proxy that cannot be used is said when a token source is made', () => {
  const auth = { type: 'globus', issuer: target.href, oauthClientId: 'me' } as const;
  expect(() => createTokenSource({ auth, env: { HTTPS_PROXY: 'socks5://proxy' } })).toThrow(
    /HTTPS_PROXY/,
  );
});

it('user and password of a proxy are sent as they were before they were encoded', () => {
  expect(proxyAuthorization(new URL('http://proxy'))).toBeNull();
  const login = Buffer.from('joe@corp:p:ü').toString('base64');
  expect(proxyAuthorization(new URL('http://joe%40corp:p:%C3%BC@proxy'))).toBe(`Basic ${login}`);
});
