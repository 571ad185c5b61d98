/**
 * What browsers, and bundlers that build for them, find under every name of this package (the condition `browser` of
 * package.json): an error that says why nothing of it works there. Each name of each entry is here, so that a bundle is
 * made, and says so where it is loaded; without them a bundler would only miss an export.
 */
import { DiasporaError } from './errors.ts';

function refuse(): never {
  throw new DiasporaError(
    'NOT_FOR_BROWSERS',
    'diaspora-logger runs in Node and not in a browser, which has no TCP connections to reach Kafka by. Log on the server, and let the browser send its records there. If this is a server: its bundler builds for browsers; let it build for Node, or leave diaspora-logger out of the bundle. In Jest: testEnvironment "node".',
  );
}

// `diaspora-logger/pino`, `diaspora-logger/winston`
const nothing: never = refuse();
export default nothing;
export const DiasporaTransport: never = nothing;
// `diaspora-logger`
export const AuthenticationError: never = nothing;
export const BrokerError: never = nothing;
export const ConfigurationError: never = nothing;
export const ConnectionError: never = nothing;
export const DeliveryError: never = nothing;
export const ServiceError: never = nothing;
export const DiasporaConsumer: never = nothing;
export const DiasporaLogger: never = nothing;
export { DiasporaError };
export const blockUntilReady: never = nothing;
export const createTokenSource: never = nothing;
export const diagnosticCodes: never = nothing;
export const diagnosticsChannelName: never = nothing;
export const javaProperties: never = nothing;
export const requestToken: never = nothing;
// `diaspora-logger/services`
export const DiasporaClient: never = nothing;
// `diaspora-logger/examples`
export const runConsumerExample: never = nothing;
export const runProducerExample: never = nothing;
