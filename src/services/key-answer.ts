/** A key as the Diaspora service answers it. */
import { ServiceError } from '../errors.ts';
import type { DoneAnswer } from './service-answer.ts';
import type { ApiVersion, ServiceKey } from './service-key.ts';

/** Throws `ServiceError` with code `SERVICE_ANSWER_UNUSABLE`. */
export function keyIn({ body }: DoneAnswer, apiVersion: ApiVersion, subject: string): ServiceKey {
  const secretKey = secretIn(body, 'secret_key');
  const endpoint = textIn(body, 'endpoint');
  if (apiVersion === 'v1') {
    return { version: 'v1', username: subject, secretKey, endpoint, fresh: true };
  }
  return {
    version: 'v3',
    accessKey: secretIn(body, 'access_key'),
    secretKey,
    endpoint: endpoint ?? '',
    createdAt: textIn(body, 'create_date'),
    fresh: body['fresh'] === true,
  };
}

function secretIn(body: DoneAnswer['body'], name: string): string {
  const value = body[name];
  if (isKeyText(value)) return value;
  throw new ServiceError(
    'SERVICE_ANSWER_UNUSABLE',
    `The Diaspora service answered without ${name}: is it of another version (option "auth.apiVersion")?`,
    { status: 200, retriable: false },
  );
}

const textIn = (body: DoneAnswer['body'], name: string): string | null => {
  const value = body[name];
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
};

/** Printable ASCII, as the keys of AWS and the passwords of the service are. */
export const isKeyText = (value: unknown): value is string =>
  typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
