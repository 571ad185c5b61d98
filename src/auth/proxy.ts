/** Which proxy a request goes through, by the environment variables that curl and Python's requests honour. */
import { ConfigurationError } from '../errors.ts';
import type { Environment } from '../options.ts';

/**
 * URL of the proxy for an https URL: `HTTPS_PROXY`, unless `NO_PROXY` names the host. Null for none.
 * Throws `ConfigurationError` for a proxy that cannot be used: without it, requests would go past it.
 */
export function proxyFor(target: URL, env: Environment): URL | null {
  if (target.protocol !== 'https:') return null;
  const variable = env['https_proxy'] ? 'https_proxy' : 'HTTPS_PROXY';
  const setting = env[variable];
  if (!setting || isExempt(target, env['no_proxy'] || env['NO_PROXY'] || '')) return null;
  const url = setting.includes('://') ? setting : `http://${setting}`;
  const proxy = URL.canParse(url) ? new URL(url) : null;
  if (proxy !== null && /^https?:$/.test(proxy.protocol) && hasReadableLogin(proxy)) return proxy;
  // What it holds may be a password.
  throw new ConfigurationError(
    `The environment variable ${variable} takes the URL of an HTTP proxy, such as http://user:password@proxy.example.org:3128, with special characters percent-encoded: set it to one, or name ${target.hostname} in NO_PROXY.`,
    variable,
  );
}

/** Value of the header `Proxy-Authorization` (RFC 7617); null where the URL names no user. */
export function proxyAuthorization({ username, password }: URL): string | null {
  if (username === '' && password === '') return null;
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

function hasReadableLogin(proxy: URL): boolean {
  try {
    proxyAuthorization(proxy);
    return true;
  } catch {
    return false;
  }
}

/** `*`, a host, or a domain with all below it, with or without a leading dot, with or without a port. */
function isExempt(target: URL, list: string): boolean {
  const host = target.hostname.toLowerCase();
  const port = target.port || '443';
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = entry, onlyPort] = /^(.+?)(?::(\d+))?$/.exec(entry) ?? [];
      if (onlyPort !== undefined && onlyPort !== port) return false;
      const domain = name.replace(/^\*?\./, '');
      return host === domain || host.endsWith(`.${domain}`);
    });
}
