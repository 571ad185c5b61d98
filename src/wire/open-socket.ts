/** Opens TCP and, where wanted, TLS to a broker, each within its deadline. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket, type ConnectionOptions as TlsOptions } from 'node:tls';
import { deadline } from '../deadline.ts';
import type { BrokerAddress } from './broker-address.ts';
import {
  connectionError,
  givenUp,
  type Phase,
  type Reason,
  socketFailure,
  tooSlow,
} from './connect-failure.ts';
import type { OpenSockets } from './open-sockets.ts';

/** A quiet connection is probed after so long, in milliseconds: below the idle limits of usual firewalls. */
const keepAliveMs = 30_000;

export interface OpenSocketOptions {
  readonly broker: BrokerAddress;
  /** Null: plain TCP. */
  readonly tls: TlsOptions | null;
  /** Deadline of TCP, and again of TLS, in milliseconds. */
  readonly timeoutMs: number;
  readonly sockets: OpenSockets;
  readonly signal: AbortSignal;
}

/** Throws `ConnectionError` with a code that tells why. */
export function openSocket(options: OpenSocketOptions): Promise<Socket> {
  const { broker, tls, timeoutMs, sockets, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(connectionError(givenUp(broker), false));
      return;
    }
    let phase: Phase = 'connect';
    let socket: Socket;
    try {
      socket = start(broker, tls);
    } catch (error) {
      // A port that is none, which metadata may name.
      reject(connectionError(socketFailure(error, { broker, phase, heard: false }), false));
      return;
    }
    sockets.add(socket);

    let stop = deadline(timeoutMs, () => fail(tooSlow(broker, 'accept a connection', timeoutMs)));
    const done = (): void => {
      stop();
      signal.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect);
      socket.off('secureConnect', onReady);
      socket.off('error', onError);
      socket.off('close', onClose);
    };
    const fail = (reason: Reason): void => {
      done();
      // A socket that is being destroyed may still report an error.
      socket.on('error', () => {});
      socket.destroy();
      reject(connectionError(reason, false));
    };
    const onReady = (): void => {
      done();
      resolve(socket);
    };
    const onConnect = (): void => {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, keepAliveMs);
      if (tls === null) {
        onReady();
        return;
      }
      phase = 'tls';
      stop();
      stop = deadline(timeoutMs, () =>
        fail(tooSlow(broker, 'finish the TLS handshake', timeoutMs)),
      );
    };
    const onError = (error: unknown): void =>
      fail(socketFailure(error, { broker, phase, heard: socket.bytesRead > 0 }));
    const onClose = (): void =>
      onError(Object.assign(new Error('closed by the broker'), { code: 'ECONNRESET' }));
    const onAbort = (): void => fail(givenUp(broker));

    socket.once('connect', onConnect);
    socket.once('secureConnect', onReady);
    socket.once('error', onError);
    socket.once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

function start({ host, port }: BrokerAddress, tls: TlsOptions | null): Socket {
  if (tls === null) return connectTcp({ host, port });
  // An address is no server name (RFC 6066, section 3); Node sends none unless it is told to.
  const servername = tls.servername ?? (isIP(host) === 0 ? host : undefined);
  return connectTls({ ...tls, host, port, ...(servername !== undefined && { servername }) });
}

/** How a connection is protected, for messages: `TLSv1.3`, or `plain text`. */
export function protection(socket: Socket): string {
  return socket instanceof TLSSocket ? (socket.getProtocol() ?? 'TLS') : 'plain text';
}
