/** For every file of these tests: once it is through, all that its apps have printed is searched for all secrets of its stacks. */
import { beforeAll } from 'vitest';
import { onSecret, type Secret } from '../../stack/secrets.ts';
import { type ChildApp, onStart } from './child-app.ts';
import { expectNoSecrets } from './secrets.ts';

beforeAll(() => {
  const secrets: Secret[] = [];
  const apps: ChildApp<object>[] = [];
  const stops = [onSecret((secret) => secrets.push(secret)), onStart((app) => apps.push(app))];
  return async () => {
    for (const stop of stops) stop();
    for (const app of apps) {
      // One that a failed test has left behind.
      app.kill();
      await app.ended();
      expectNoSecrets(secrets, app.output);
    }
  };
});
