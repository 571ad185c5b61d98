import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkJavaProperties,
  javaProperties,
  writeJavaProperties,
} from '../../../src/other-clients/java-properties.ts';
import { temporaryDirectory } from '../auth/signed-in.ts';

/** What java.util.Properties reads: the rules of its `load(Reader)`. */
function load(text: string): Map<string, string> {
  const entries = text
    .split('\n')
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !/^[#!]/.test(line))
    .map((line): [string, string] => {
      const separator = line.indexOf('=');
      return [line.slice(0, separator), unescaped(line.slice(separator + 1).trimStart())];
    });
  return new Map(entries);
}

const unescaped = (value: string): string =>
  value.replace(/\\(?:u([\da-f]{4})|(.))/gi, (_match, hex: string | undefined, char: string) =>
    hex === undefined ? char : String.fromCharCode(Number.parseInt(hex, 16)),
  );

/** Options of a JAAS line, as a StreamTokenizer with `"` as its quote reads them. */
const jaasOptions = (jaas: string): Record<string, string> =>
  Object.fromEntries(
    [...jaas.matchAll(/([\w.]+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) => [
      name,
      value.replace(/\\(.)/g, '$1'),
    ]),
  );

describe("the Java clients' properties", () => {
  it('are those that a Java client signs in with', () => {
    const text = javaProperties({
      refreshToken: 'Agx',
      bootstrapBrokers: 'a:9094,b:9094',
      caFile: '/etc/ca.pem',
    });
    expect(text).toMatchInlineSnapshot(`
      "# Kafka connection properties, written by diaspora-logger.
      # It holds a refresh token: keep it to yourself.
      # Class path: io.strimzi:kafka-oauth-client. Kafka 4 also wants the JVM flag
      # -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=https://auth.globus.org/v2/oauth2/token
      bootstrap.servers=a:9094,b:9094
      security.protocol=SASL_SSL
      sasl.mechanism=OAUTHBEARER
      sasl.login.callback.handler.class=io.strimzi.kafka.oauth.client.JaasClientOauthLoginCallbackHandler
      sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required oauth.token.endpoint.uri="https://auth.globus.org/v2/oauth2/token" oauth.client.id="c5d4fab4-7f0d-422e-b0c8-5c74329b52fe" oauth.refresh.token="Agx" oauth.access.token.is.jwt="false" ;
      ssl.truststore.type=PEM
      ssl.truststore.location=/etc/ca.pem
      "
    `);
  });

  it('escape a backslash and a quote twice', () => {
    const text = javaProperties({ refreshToken: 'a\\b"c' });
    expect(text).toContain(String.raw`oauth.refresh.token="a\\\\b\\"c"`);
  });

  it('bring every value back through both layers', () => {
    const value = fc
      .string({ unit: 'grapheme', minLength: 1 })
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
      .filter((text) => !/[\u0000-\u001f\u007f]/.test(text));
    fc.assert(
      fc.property(value, value, (refreshToken, oauthClientSecret) => {
        const text = javaProperties({ refreshToken, oauthClientSecret });
        expect(text).toMatch(/^[\n\u0020-\u007e]*$/);
        const options = jaasOptions(load(text).get('sasl.jaas.config') ?? '');
        expect(options['oauth.refresh.token']).toBe(refreshToken);
        expect(options['oauth.client.secret']).toBe(oauthClientSecret);
      }),
    );
  });

  it('keep spaces, colons and other letters in a path', () => {
    const caFile = '/tmp/a b:c=d/é/😀.pem';
    expect(load(javaProperties({ refreshToken: 'x', caFile })).get('ssl.truststore.location')).toBe(
      caFile,
    );
  });

  it('refuse a line break, which would make a property of its own', () => {
    expect(() => javaProperties({ refreshToken: 'a\nb' })).toThrow(/control/);
    expect(() => javaProperties({ refreshToken: 'a', bootstrapBrokers: 'a\nb' })).toThrow(
      /control/,
    );
  });

  it('are written for the owner alone, and again over themselves', async () => {
    const directory = temporaryDirectory();
    const path = await writeJavaProperties(directory, 'ann', { refreshToken: 'one' });
    expect(path).toBe(join(directory, 'ann.properties'));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    chmodSync(path, 0o644);
    await writeJavaProperties(directory, 'ann', { refreshToken: 'two' });
    expect(readFileSync(path, 'utf8')).toContain('two');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['ann.properties']);
  });

  it('are refused beforehand where they could not be written', async () => {
    const directory = temporaryDirectory();
    await checkJavaProperties(directory, {});
    expect(readdirSync(directory)).toEqual([]);
    const missing = join(directory, 'missing');
    await expect(checkJavaProperties(missing, {})).rejects.toThrow(
      `Cannot write Java properties to the directory ${missing} (ENOENT): make it, or choose another with --out.`,
    );
    writeFileSync(missing, '');
    await expect(checkJavaProperties(missing, {})).rejects.toThrow(/ENOTDIR/);
    await expect(checkJavaProperties(directory, { bootstrapBrokers: 'a\nb' })).rejects.toThrow(
      /control/,
    );
  });

  it("never replace another's file, and never leave the directory", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'ann.properties'), 'mine=1\n');
    await expect(writeJavaProperties(directory, 'ann', { refreshToken: 'one' })).rejects.toThrow(
      /not overwritten/,
    );
    mkdirSync(join(directory, 'sub'));
    const path = await writeJavaProperties(join(directory, 'sub'), '../../evil', {
      refreshToken: 'one',
    });
    expect(path).toBe(join(directory, 'sub', '__.._evil.properties'));
  });
});
