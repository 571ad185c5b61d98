import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const file = fileURLToPath(new URL('../../../src/cli/quiet-warnings.ts', import.meta.url));

describe('the warnings of a command', () => {
  it('are those that somebody can help, as Node tells them', () => {
    const code = `import { quietWarnings } from ${JSON.stringify(file)};
quietWarnings();
process.emitWarning('-5 is a negative number.', 'TimeoutNegativeWarning');
process.emitWarning('mind this', 'OtherWarning');`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
    const { stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stderr).toMatch(/^\(node:\d+\) OtherWarning: mind this\n/);
    expect(stderr).not.toContain('negative');
  });
});
