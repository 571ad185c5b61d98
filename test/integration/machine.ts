/** A home directory of its own, as far as the token storage is concerned a machine, with both SDKs and this package on it. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { eventService } from '../../src/auth/globus-service.ts';
import { type StoredTokens, TokenStore } from '../../src/auth/token-store.ts';
import { type ApiVersion, DiasporaClient } from '../../src/services/diaspora-client.ts';
import { nativeAppClientId } from '../../stack/globus-facts.ts';
import type { Stack } from '../../stack/stack.ts';
import { runApp } from './built-package.ts';
import { PythonSdk } from './python-sdk.ts';
import { requestToken } from './requested-token.ts';

/** Where the Python SDK's environment `local` looks for the service: it cannot be told otherwise. */
export const localServicePort = 8_000;

const serviceUrl = `http://localhost:${localServicePort}`;

/** What stands on every machine. */
export interface Surroundings {
  /** Its topic service listens on `localServicePort`. */
  readonly stack: Stack;
  /** Holds the homes. */
  readonly directory: string;
  /** Interpreters with the SDK as it is, and as it was. */
  readonly python: string;
  readonly pythonV1: string;
}

export class Machine {
  readonly #surroundings: Surroundings;
  readonly #home: string;

  private constructor(surroundings: Surroundings, home: string) {
    this.#surroundings = surroundings;
    this.#home = home;
  }

  /** With nothing in its storage. */
  static async bare(surroundings: Surroundings): Promise<Machine> {
    return new Machine(surroundings, await mkdtemp(join(surroundings.directory, 'machine-')));
  }

  /** On which somebody has signed in by `request-token --save`. */
  static async signedIn(surroundings: Surroundings, username: string): Promise<Machine> {
    const machine = await Machine.bare(surroundings);
    const { globus } = surroundings.stack;
    await requestToken({ globus, username, flags: ['--save'], env: machine.#env });
    return machine;
  }

  /** With a user name the SDK may ask for a sign-in; else that is an error. */
  sdk(username?: string): Promise<PythonSdk> {
    const { stack, python } = this.#surroundings;
    const signIn = async (url: string): Promise<string> =>
      (await stack.globus.approve(url, username)).searchParams.get('code') ?? '';
    return PythonSdk.start({
      python,
      script: 'event_sdk.py',
      env: this.#pythonEnv,
      ...(username !== undefined && { signIn }),
    });
  }

  /** As it was in version 1. */
  sdkV1(): Promise<PythonSdk> {
    const { stack, pythonV1: python } = this.#surroundings;
    const BOOTSTRAP = stack.bootstrap('SCRAM');
    const env = { ...this.#pythonEnv, SERVICE_URL: serviceUrl, BOOTSTRAP };
    return PythonSdk.start({ python, script: 'event_sdk_v1.py', env });
  }

  client(apiVersion: ApiVersion = 'v3'): DiasporaClient {
    return new DiasporaClient({ apiVersion, env: this.#env });
  }

  /** By `DiasporaLogger` in a process of its own, with more environment where that is given. */
  async produce(
    version: ApiVersion,
    topic: string,
    values: readonly unknown[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.#run(['produce', version, topic, JSON.stringify(values)], more);
  }

  /** By `DiasporaConsumer` in a process of its own, from the beginning. */
  async consume(version: ApiVersion, topic: string, count: number): Promise<unknown[]> {
    const { stdout } = await this.#run(['consume', version, topic, String(count)], {});
    return JSON.parse(stdout);
  }

  /** The row of the event service, which both read. */
  async row(): Promise<StoredTokens | null> {
    const { issuer } = this.#surroundings.stack;
    const identity = { issuer, oauthClientId: nativeAppClientId, isService: false };
    return new TokenStore({ ...identity, env: this.#env }).read(eventService);
  }

  #run(args: readonly string[], more: Readonly<Record<string, string>>) {
    // A password of v1 says nothing of brokers where the Python SDK has stored it.
    const brokers = { DIASPORA_BOOTSTRAP: this.#surroundings.stack.bootstrap('SCRAM') };
    const env = { ...this.#env, ...(args.includes('v1') && brokers), ...more };
    return runApp('test/integration/apps/diaspora-app.mjs', args, env);
  }

  /** What both sides have in their environment. */
  get #shared() {
    return { DIASPORA_USER_DIR: this.#home, DIASPORA_SDK_ENVIRONMENT: 'local' };
  }

  get #env() {
    const { issuer, caFile } = this.#surroundings.stack;
    return { ...this.#shared, DIASPORA_ISSUER: issuer, DIASPORA_CA_FILE: caFile };
  }

  get #pythonEnv() {
    const { issuer, caFile } = this.#surroundings.stack;
    return { ...this.#shared, GLOBUS_SDK_SERVICE_URL_AUTH: `${issuer}/`, CA_FILE: caFile };
  }
}
