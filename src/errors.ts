/** Errors that the package throws or reports: one class a kind, each with a stable `code`. */

/** Base of every error of this package. `code` is stable across releases; `message` is for people. */
export class DiasporaError extends Error {
  override readonly name: string = 'DiasporaError';
  /** Stable identifier, for programs. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An option is unknown, has the wrong type, or does not go with another. Thrown at start, never later. */
export class ConfigurationError extends DiasporaError {
  override readonly name = 'ConfigurationError';
  /** Path of the option at fault, such as `tls.ca`; undefined when no single option is. */
  readonly option: string | undefined;

  constructor(message: string, option?: string, options?: ErrorOptions) {
    super('CONFIGURATION', message, options);
    this.option = option;
  }
}

/** Sign-in failed: the identity provider or the broker refused the credentials, or could not be asked. */
export class AuthenticationError extends DiasporaError {
  override readonly name = 'AuthenticationError';
  /** True where the same credentials may work later (endpoint down, time-out); false where only new ones will. */
  readonly retriable: boolean;

  constructor(code: string, message: string, retriable: boolean, options?: ErrorOptions) {
    super(code, message, options);
    this.retriable = retriable;
  }
}

/**
 * A connection could not be made, or broke. `sent` tells whether the request may have reached the
 * broker: where it is false, the request was certainly not carried out.
 */
export class ConnectionError extends DiasporaError {
  override readonly name = 'ConnectionError';
  readonly sent: boolean;

  constructor(code: string, message: string, sent: boolean, options?: ErrorOptions) {
    super(code, message, options);
    this.sent = sent;
  }
}

/** The broker answered with an error code of the Kafka protocol. */
export class BrokerError extends DiasporaError {
  override readonly name = 'BrokerError';
  /** Number of the error in Kafka's protocol, such as 29. */
  readonly errorCode: number;
  /** Whether the protocol calls it retriable. */
  readonly retriable: boolean;

  constructor(code: string, errorCode: number, message: string, retriable: boolean) {
    super(code, message);
    this.errorCode = errorCode;
    this.retriable = retriable;
  }
}

/** The Diaspora service refused a request, or could not be asked. The message has the service's own words. */
export class ServiceError extends DiasporaError {
  override readonly name = 'ServiceError';
  /** HTTP status of the answer; null where there was none. Refusals may come with 200. */
  readonly status: number | null;
  /** True where the same request may fare better later (service down, time-out, too many requests). */
  readonly retriable: boolean;

  constructor(
    code: string,
    message: string,
    { status, retriable }: { readonly status: number | null; readonly retriable: boolean },
    options?: ErrorOptions,
  ) {
    super(code, message, options);
    this.status = status;
    this.retriable = retriable;
  }
}

/** A record was not delivered, or nobody can tell whether it was. */
export class DeliveryError extends DiasporaError {
  override readonly name = 'DeliveryError';
  /** True where the record may be in the topic all the same. */
  readonly possiblyDelivered: boolean;

  constructor(code: string, message: string, possiblyDelivered: boolean, options?: ErrorOptions) {
    super(code, message, options);
    this.possiblyDelivered = possiblyDelivered;
  }
}

/** The `code` of an error of the system or of Node, such as `ENOENT`; null where it has none. */
export function systemErrorCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : null;
}
