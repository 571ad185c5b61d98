/** The public surface of `diaspora-logger`. The transports are `diaspora-logger/pino` and `diaspora-logger/winston`. */

export {
  type RequestedToken,
  type RequestTokenOptions,
  requestToken,
} from './auth/request-token.ts';
export {
  type AccessToken,
  createTokenSource,
  type GlobusAuth,
  type TokenModuleAuth,
  type TokenSource,
  type TokenSourceOptions,
} from './auth/token-source.ts';
export {
  type ConsumedRecord,
  type Delivery,
  DiasporaConsumer,
  type SeekTarget,
  type TopicPartition,
} from './consume/consumer.ts';
export type { Stats } from './delivery/counters.ts';
export type { FlushResult } from './delivery/shipper.ts';
export {
  type DiagnosticCode,
  type DiagnosticDetail,
  type DiagnosticEvent,
  type DiagnosticName,
  type DiagnosticSink,
  diagnosticCodes,
  diagnosticsChannelName,
} from './diagnostics.ts';
export {
  AuthenticationError,
  BrokerError,
  ConfigurationError,
  ConnectionError,
  DeliveryError,
  DiasporaError,
  ServiceError,
} from './errors.ts';
export type {
  AuthOptions,
  ConnectionOptions,
  ConsumerOptions,
  DeliveryOptions,
  ProducerOptions,
  RetryOptions,
  RoutingOptions,
  TlsOptions,
  TransportOptions,
} from './options.ts';
export { type JavaPropertiesOptions, javaProperties } from './other-clients/java-properties.ts';
export { DiasporaLogger, type RecordMetadata, type SendOptions } from './produce/logger.ts';
export {
  blockUntilReady,
  type ReadyOptions,
  type ReadyProgress,
  type ReadyStep,
} from './ready/block-until-ready.ts';
export type { Transform } from './transports/transform.ts';
