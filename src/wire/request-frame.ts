/** Puts requests into frames, and takes replies out of them. */
import type { Api } from './api.ts';
import { MalformedReplyError, Reader } from './reader.ts';
import { apiVersions } from './requests/api-versions.ts';
import { Writer } from './writer.ts';

/** A request as it is written: its length, header and body, in as many buffers as it takes. */
export interface RequestFrame {
  readonly chunks: readonly Buffer[];
  readonly bytes: number;
}

/** Request header 1, or 2 in flexible versions. */
export function encodeRequest<Body, Reply>(
  api: Api<Body, Reply>,
  body: Body,
  header: { readonly version: number; readonly id: number; readonly clientId: string },
): RequestFrame {
  const { version, id, clientId } = header;
  const writer = new Writer(api.flexible(version));
  writer.int16(api.key);
  writer.int16(version);
  writer.int32(id);
  writer.headerString(clientId);
  writer.tags();
  api.encode(body, version, writer);
  return writer.frame();
}

/** Reads a frame without its length, correlation id first. Throws `MalformedReplyError`. */
export function decodeReply<Reply>(api: Api<never, Reply>, version: number, frame: Buffer): Reply {
  const reader = new Reader(frame.subarray(4), api.flexible(version));
  // The header of this reply alone never has tagged fields: the client may not know what it gets (KIP-511).
  if (api.key !== apiVersions.key) reader.tags();
  const reply = api.decode(reader, version);
  if (reader.remaining > 0) {
    throw new MalformedReplyError(`${api.name} leaves ${reader.remaining} bytes over`);
  }
  return reply;
}
