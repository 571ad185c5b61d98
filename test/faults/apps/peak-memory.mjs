// The highest resident memory that this process has had.
import { readFileSync } from 'node:fs';

/** Workers included. `resourceUsage().maxRSS` of Linux would tell of the process that started this one, too. */
export function peakMemoryBytes() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(kibibytes) * 1024;
}
