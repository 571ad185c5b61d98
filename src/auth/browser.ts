/** Opens a browser where there is one to open. */
import type { Environment } from '../options.ts';

/** Whether a browser opened here would be seen: not over ssh, not without a display. */
export function canOpenBrowser(env: Environment, platform: NodeJS.Platform): boolean {
  if (env['SSH_CONNECTION'] || env['SSH_CLIENT'] || env['SSH_TTY'] || env['CI']) return false;
  if (env['BROWSER'] === 'none') return false;
  if (platform === 'linux') {
    return Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY'] || env['WSL_DISTRO_NAME']);
  }
  return true;
}

/** Opens an address. Never fails: the address is shown in any case. */
export async function openBrowser(url: string): Promise<void> {
  try {
    const { default: open } = await import('open');
    const child = await open(url);
    child.once('error', () => {});
    child.unref();
  } catch {
    // No browser after all.
  }
}
