/** A Secret as the kubelet mounts it: a directory whose files are links into another one, which is exchanged as a whole. */
import { existsSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

export class MountedSecret implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'secret-'));

  /** Sets one key, which is the name of a file, as a change of the Secret does. */
  put(key: string, value: string): void {
    const version = mkdtempSync(join(this.directory, '..version-'));
    writeFileSync(join(version, key), value);
    const next = join(this.directory, '..new');
    symlinkSync(basename(version), next);
    renameSync(next, join(this.directory, '..data'));
    const file = join(this.directory, key);
    if (!existsSync(file)) symlinkSync(join('..data', key), file);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}
