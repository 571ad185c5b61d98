/** For every file of these tests: once it is through, all that its apps have printed is searched for all secrets of its stacks. */
import { beforeAll, expect } from 'vitest';
import { onSecret, type Secret } from '../../../stack/secrets.ts';
import { type ChildApp, onStart } from '../driving/child-app.ts';
import { expectNoSecrets } from './secrets.ts';

beforeAll(() => {
  const secrets: Secret[] = [];
  const apps: ChildApp<object>[] = [];
  const stops = [onSecret((secret) => secrets.push(secret)), onStart((app) => apps.push(app))];
  return async () => {
    for (const stop of stops) stop();
    // A failed test may have left some behind: all have ended before anything here can fail.
    for (const app of apps) app.kill();
    await Promise.all(apps.map((app) => app.ended()));
    if (apps.length > 0) expect(secrets.length, 'secrets to search for').toBeGreaterThan(0);
    for (const app of apps) expectNoSecrets(secrets, app.output);
  };
});
