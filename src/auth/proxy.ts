/** Which proxy a request goes through, by the environment variables that curl and Python's requests honour. */
import type { Environment } from '../options.ts';

/** URL of the proxy for an https URL: `HTTPS_PROXY`, unless `NO_PROXY` names the host. Null for none. */
export function proxyFor(target: URL, env: Environment): URL | null {
  if (target.protocol !== 'https:') return null;
  const setting = env['https_proxy'] || env['HTTPS_PROXY'];
  if (!setting || isExempt(target, env['no_proxy'] || env['NO_PROXY'] || '')) return null;
  const url = setting.includes('://') ? setting : `http://${setting}`;
  return URL.canParse(url) ? new URL(url) : null;
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
