/** Python source of a function that answers an access token and its end: for Python's Kafka clients, by Python's own library alone. */

import { eventServiceScope, tokenPath } from '../auth/globus-service.ts';
import type { ClientSignIn, Secret } from './client-connection.ts';

/** A piece of source, and the modules of Python's own library that it needs. */
export interface PythonPart {
  readonly imports: readonly string[];
  readonly source: string;
}

/** Defines `access_token()`. Null where the client signs in without a token. */
export function pythonToken(signIn: ClientSignIn): PythonPart | null {
  switch (signIn.type) {
    case 'globus':
      return globusToken(signIn);
    case 'aws-iam':
      return signIn.accessKey === null ? librarySigned(signIn) : signedToken(signIn);
    case 'token':
      return givenToken(signIn.accessToken);
    default:
      return null;
  }
}

/** A JSON string is a Python string, but for lone surrogates, which no option holds. */
export const pythonText = (value: string): string => JSON.stringify(value);

/** The secret itself, or where it is read from. */
export const pythonSecret = ({ variable, value }: Secret): string =>
  value === null ? `os.environ[${pythonText(variable)}]` : pythonText(value);

function globusToken(signIn: ClientSignIn & { type: 'globus' }): PythonPart {
  const { issuer, oauthClientId, oauthClientSecret, refreshToken } = signIn;
  const form =
    refreshToken === null
      ? `"grant_type": "client_credentials", "scope": ${pythonText(eventServiceScope)}`
      : `"grant_type": "refresh_token", "refresh_token": _refresh_token`;
  // A public client names itself in the form, a confidential one in the header (RFC 6749 section 2.3.1).
  const isPublic = oauthClientSecret === null;
  const fields = isPublic ? `${form}, "client_id": ${pythonText(oauthClientId)}` : form;
  const headers = isPublic
    ? '{}'
    : `{"Authorization": "Basic " + base64.b64encode(":".join(map(urllib.parse.quote_plus, [${pythonText(oauthClientId)}, ${pythonSecret(oauthClientSecret)}])).encode()).decode()}`;
  return {
    imports: [
      'json',
      'time',
      'urllib.parse',
      'urllib.request',
      ...(isPublic ? [] : ['base64']),
      ...(oauthClientSecret?.value === null || refreshToken?.value === null ? ['os'] : []),
    ],
    source: `_held = ("", 0.0)
${refreshToken === null ? '' : refreshTokenVariable(refreshToken)}

def access_token():
    """A Globus access token and its end; asked for anew when little of its life is left."""
    global _held${refreshToken === null ? '' : ', _refresh_token'}
    if time.time() > _held[1] - 60:
        form = {${fields}}
        request = urllib.request.Request(
            ${pythonText(issuer + tokenPath)},
            data=urllib.parse.urlencode(form).encode(),
            headers=${headers},
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            answer = json.load(reply)
        _held = (answer["access_token"], time.time() + answer["expires_in"])
${refreshToken === null ? '' : '        _refresh_token = answer.get("refresh_token") or _refresh_token\n'}    return _held
`,
  };
}

const refreshTokenVariable = (refreshToken: Secret): string =>
  `# Globus Auth may replace it, and end the one before: the new one is held by this program alone.
# Where it is refused at the next start, get another one: npx diaspora-logger request-token
_refresh_token = ${pythonSecret(refreshToken)}
`;

/** SigV4, by https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html. */
function signedToken(signIn: ClientSignIn & { type: 'aws-iam' }): PythonPart {
  const { region, accessKey } = signIn;
  if (accessKey === null) return librarySigned(signIn);
  const { accessKeyId, secretAccessKey, sessionToken } = accessKey;
  const isFromEnvironment = secretAccessKey.value === null || sessionToken?.value === null;
  const session =
    sessionToken === null ? '' : `\n        "X-Amz-Security-Token": ${pythonSecret(sessionToken)},`;
  return {
    imports: [
      'base64',
      'hashlib',
      'hmac',
      'time',
      'urllib.parse',
      ...(isFromEnvironment ? ['os'] : []),
    ],
    source: `def access_token():
    """An AWS MSK IAM token, signed by the access key, and its end 15 minutes from now."""
    host, region, now = ${pythonText(`kafka.${region}.amazonaws.com`)}, ${pythonText(region)}, time.time()
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{at[:8]}/{region}/kafka-cluster/aws4_request"
    fields = {
        "Action": "kafka-cluster:Connect",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": ${pythonText(`${accessKeyId}/`)} + scope,
        "X-Amz-Date": at,
        "X-Amz-Expires": "900",${session}
        "X-Amz-SignedHeaders": "host",
    }
    query = "&".join(f"{name}={urllib.parse.quote(value, safe='')}" for name, value in sorted(fields.items()))
    canonical = f"GET\\n/\\n{query}\\nhost:{host}\\n\\nhost\\n{hashlib.sha256(b'').hexdigest()}"
    to_sign = f"AWS4-HMAC-SHA256\\n{at}\\n{scope}\\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + ${pythonSecret(secretAccessKey)}).encode()
    for part in (*scope.split("/"), to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    url = f"https://{host}/?{query}&X-Amz-Signature={key.hex()}&User-Agent=python"
    return base64.urlsafe_b64encode(url.encode()).decode().rstrip("="), now + 900
`,
  };
}

/** Profiles, instances and roles are AWS's library's business. */
function librarySigned({ region, profile }: ClientSignIn & { type: 'aws-iam' }): PythonPart {
  const call =
    profile === null
      ? `generate_auth_token(${pythonText(region)})`
      : `generate_auth_token_from_profile(${pythonText(region)}, ${pythonText(profile)})`;
  return {
    imports: [],
    source: `# pip install aws-msk-iam-sasl-signer-python
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider


def access_token():
    """An AWS MSK IAM token and its end."""
    token, end_ms = MSKAuthTokenProvider.${call}
    return token, end_ms / 1000
`,
  };
}

function givenToken(accessToken: Secret): PythonPart {
  return {
    imports: ['time', ...(accessToken.value === null ? ['os'] : [])],
    source: `def access_token():
    """The token that was given: when it ends, only who gave it knows."""
    return ${pythonSecret(accessToken)}, time.time() + 3600
`,
  };
}
