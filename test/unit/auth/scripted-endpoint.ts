/** A token endpoint whose every answer a test decides: what the stand-in for Globus never answers. */
import { createServer, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { eventService } from '../../../src/auth/globus-service.ts';

export interface ScriptedEndpoint {
  readonly issuer: string;
  /** The refresh tokens that were sent. */
  readonly sent: readonly string[];
}

/** What is answered to a refresh token: the body of a 200, or null for `invalid_grant`. */
export type Script = (refreshToken: string) => object | null | Promise<object | null>;

/** Starts it; it ends with the test. */
export async function scriptedEndpoint(script: Script): Promise<ScriptedEndpoint> {
  const sent: string[] = [];
  const server = createServer(async (request, response) => {
    const refreshToken = new URLSearchParams(await text(request)).get('refresh_token') ?? '';
    sent.push(refreshToken);
    const body = await script(refreshToken);
    if (body === null) answer(response, 400, { error: 'invalid_grant' });
    else answer(response, 200, body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return { issuer: `http://127.0.0.1:${port}`, sent };
}

/** A reply of the event service's tokens. */
export const reply = (more: object = {}): object => ({
  access_token: 'access',
  expires_in: 172_800,
  resource_server: eventService,
  token_type: 'Bearer',
  scope: '',
  ...more,
});

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
