import { describe, expect, it } from 'vitest';
import {
  formatProperties,
  type ServerSettings,
  serverProperties,
} from '../../../stack/server-properties.ts';

const address = { host: 'localhost', port: 1 };

function settings(brokers: number, overrides: Record<string, string> = {}): ServerSettings {
  return {
    id: 1,
    controllerPorts: new Map(
      Array.from({ length: brokers }, (_, index) => [index + 1, 100 + index]),
    ),
    ports: { INTERNAL: 1, OAUTH: 2, SCRAM: 3, MTLS: 4 },
    advertised: {
      INTERNAL: address,
      OAUTH: { host: 'proxy', port: 99 },
      SCRAM: address,
      MTLS: address,
    },
    dataDirectory: '/data',
    keyStoreFile: '/broker.pem',
    caFile: '/ca.pem',
    oauth: {
      issuer: 'http://127.0.0.1:9',
      introspectionUrl: 'http://127.0.0.1:9/introspect',
      clientId: 'rs',
      clientSecret: 'secret',
    },
    overrides,
  };
}

describe("a broker's properties", () => {
  it('replicate to every broker, and let one of three be away', () => {
    expect(serverProperties(settings(3))).toMatchObject({
      'controller.quorum.voters': '1@127.0.0.1:100,2@127.0.0.1:101,3@127.0.0.1:102',
      'default.replication.factor': '3',
      'transaction.state.log.min.isr': '2',
    });
    expect(serverProperties(settings(1))).toMatchObject({
      'default.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
    });
  });

  it('tell clients the address of a proxy, and listen on their own', () => {
    const properties = serverProperties(settings(1));
    expect(properties['listeners']).toContain('OAUTH://127.0.0.1:2,');
    expect(properties['advertised.listeners']).toContain('OAUTH://proxy:99,');
  });

  it('give way to what the caller sets', () => {
    expect(serverProperties(settings(1, { 'connections.max.reauth.ms': '5000' }))).toMatchObject({
      'connections.max.reauth.ms': '5000',
    });
  });

  it('keep a backslash through the file', () => {
    expect(formatProperties({ a: 'b\\c', d: 'e' })).toBe('a=b\\\\c\nd=e\n');
  });
});
