/** The Diaspora service, where its key signs in. */
import { within } from '../../deadline.ts';
import type { Environment, ResolvedDiaspora } from '../../options.ts';
import { DiasporaClient } from '../../services/diaspora-client.ts';
import { exitCodes } from '../exit-codes.ts';
import { type Finding, failure, noAnswer, ok, warning } from './examination.ts';

/** Of one request, in milliseconds: it is tried four times at most. */
const requestTimeoutMs = 3_000;

function clientOf(auth: ResolvedDiaspora, env: Environment): DiasporaClient {
  const { globus, apiVersion, serviceUrl, region, subject } = auth;
  const { issuer, refreshToken, refreshTokenFile, oauthClientId, oauthClientSecret } = globus;
  return new DiasporaClient({
    apiVersion,
    serviceUrl,
    region,
    issuer,
    oauthClientId,
    requestTimeoutMs,
    diagnostics: 'silent',
    env,
    ...(subject !== null && { subject }),
    ...(refreshToken !== undefined && { refreshToken }),
    ...(refreshTokenFile !== undefined && { refreshTokenFile }),
    ...(oauthClientSecret !== undefined && { oauthClientSecret }),
  });
}

/** Of a check's time, in milliseconds: what is left for a look at the token store. */
const storedKeyMs = 2_000;

/** A check that asks Globus Auth or the service. */
interface Question {
  readonly waitsFor: string;
  /** All its milliseconds. */
  readonly timeoutMs: number;
  readonly examine: () => Promise<Finding<true>>;
}

/** A stored key signs in without Globus and the service: what is wrong with them is worth a word then. */
export async function unlessKeyStored(
  auth: ResolvedDiaspora,
  env: Environment,
  { waitsFor, timeoutMs, examine }: Question,
): Promise<Finding<true>> {
  const answerMs = timeoutMs - storedKeyMs;
  const late = (): Error => noAnswer(waitsFor, answerMs);
  try {
    return await within(examine(), { timeoutMs: answerMs, late });
  } catch (error) {
    await using client = clientOf(auth, env);
    const key = await client.getSecretKey().catch(() => null);
    if (key === null) throw error;
    return warning(true, ...failure(error).notes, 'The stored service key signs in all the same.');
  }
}

/** Throws `ServiceError` and `AuthenticationError`. */
export async function examineService(
  auth: ResolvedDiaspora,
  env: Environment,
): Promise<Finding<true>> {
  await using client = clientOf(auth, env);
  const topics = await client.listTopics();
  const own = topics.length === 0 ? 'no topics yet' : `topics ${topics.join(', ')}`;
  return ok(true, `${auth.serviceUrl} (${auth.apiVersion}) answers; ${own}`);
}

/** What is stored here: none is made, since a new one may end those of other machines. `areBrokersNamed`: by flag or environment. */
export async function examineKey(
  auth: ResolvedDiaspora,
  env: Environment,
  { areBrokersNamed }: { readonly areBrokersNamed: boolean },
): Promise<Finding<true>> {
  await using client = clientOf(auth, env);
  if ((await client.getSecretKey()) === null) {
    const text = 'none is stored here';
    const advice = 'Make one: npx diaspora-logger keys create';
    if (auth.apiVersion === 'v3') {
      return warning(true, { text: `${text}: the service is asked for it at the first sign-in` });
    }
    return { status: 'failed', notes: [{ text, advice }], exitStatus: exitCodes.refused };
  }
  const key = await client.retrieveKey();
  const who = key.version === 'v3' ? `access key ${key.accessKey}` : `user ${key.username}`;
  if (key.endpoint) return ok(true, `${who}, for ${key.endpoint}`);
  const text = `${who}, for brokers that it does not name`;
  if (areBrokersNamed) return ok(true, text);
  const advice =
    'Name them: npx diaspora-logger keys put, with the same key and --endpoint; or DIASPORA_BOOTSTRAP';
  return warning(true, { text, advice });
}
