/** Where a broker listens. */

export interface BrokerAddress {
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
}

/** `host:port`, with brackets around an IPv6 address. */
export function addressText({ host, port }: BrokerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
