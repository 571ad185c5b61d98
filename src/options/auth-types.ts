/** How to sign in: as users write it, and as the package uses it. */

/** What says who signs in at Globus Auth. */
export interface GlobusOptions {
  /** Base URL of Globus Auth. Default `DIASPORA_ISSUER`, else `https://auth.globus.org`. Plain HTTP on loopback only. */
  issuer?: string;
  /** Default the file; where that is not given either, `DIASPORA_REFRESH`, else the token store. */
  refreshToken?: string;
  /** A file that holds the refresh token, read again at each refresh. Default `DIASPORA_REFRESH_FILE`, where `refreshToken` is not given either. */
  refreshTokenFile?: string;
  /** OAuth client. Default `DIASPORA_SDK_CLIENT_ID`, else the native app of the event service. */
  oauthClientId?: string;
  /** Secret of a confidential client. Default `DIASPORA_SDK_CLIENT_SECRET`, else none. */
  oauthClientSecret?: string;
}

/** Where the Diaspora service is, and who asks it for a key. */
export interface DiasporaOptions extends GlobusOptions {
  /** `v3`: access keys, which sign tokens. `v1`: SCRAM-SHA-512, user name = subject. Default `v3`. */
  apiVersion?: 'v3' | 'v1';
  /** Default `DIASPORA_SERVICE_URL`, else by `DIASPORA_SDK_ENVIRONMENT`: `local` is `http://localhost:8000`, all else the public one, which is v3's. Plain HTTP on loopback only, unless `allowInsecureToken`. */
  serviceUrl?: string;
  /** AWS region of the brokers, which v3's tokens are signed for. Default `us-east-1`, the public service's; `AWS_REGION` says where this process runs, and not that. */
  region?: string;
  /** UUID of who asks. Default `DIASPORA_SUBJECT`, else whoever signed in. */
  subject?: string;
}

/** How to sign in to the brokers. */
export type AuthOptions =
  | ({
      /** A Globus refresh token buys access tokens, which are the OAUTHBEARER credentials. The default. */
      type: 'globus';
    } & GlobusOptions)
  | ({
      /** The service key that the token store holds, made by the Diaspora service where it is missing. */
      type: 'diaspora';
    } & DiasporaOptions)
  | {
      type: 'scram';
      /** Default `SCRAM-SHA-512`. */
      mechanism?: 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      /** Default `DIASPORA_USERNAME`. */
      username?: string;
      /** Default `DIASPORA_PASSWORD`. */
      password?: string;
    }
  | {
      /**
       * AWS MSK IAM: tokens of 15 minutes, signed by this package where there is an access key; else, such as on an instance or
       * in a container, by the package `aws-msk-iam-sasl-signer-js`, which is loaded only then.
       */
      type: 'aws-iam';
      /** Default `AWS_REGION`, else `AWS_DEFAULT_REGION`. */
      region?: string;
      /** Default `AWS_ACCESS_KEY_ID`, with its secret and session token, where neither a key nor `profile` is given. */
      accessKeyId?: string;
      secretAccessKey?: string;
      /** Of temporary credentials. */
      sessionToken?: string;
      /** A profile of AWS's credential files. */
      profile?: string;
    }
  | {
      /** Mutual TLS: `tls.cert` and `tls.key`, or `tls.pfx`, say who connects. */
      type: 'mtls';
    }
  | {
      /** A module whose default export answers an access token, or `{ value, expiresAt }` with milliseconds since the epoch. */
      type: 'token';
      module: string;
    }
  | { type: 'none' };

/** Sign-in by Globus Auth, with defaults and environment filled in. */
export interface ResolvedGlobus {
  readonly type: 'globus';
  readonly issuer: string;
  readonly refreshToken?: string;
  readonly refreshTokenFrom: 'option' | 'environment';
  readonly refreshTokenFile?: string;
  readonly oauthClientId: string;
  readonly oauthClientSecret?: string;
}

/** Sign-in by a service key. */
export interface ResolvedDiaspora {
  readonly type: 'diaspora';
  readonly apiVersion: 'v3' | 'v1';
  /** Without a slash at its end. */
  readonly serviceUrl: string;
  readonly region: string;
  /** Null: whoever signed in. */
  readonly subject: string | null;
  readonly globus: ResolvedGlobus;
}

/** An access key of AWS, or of the Diaspora service. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Sign-in by AWS IAM. */
export interface ResolvedAwsIam {
  readonly type: 'aws-iam';
  readonly region: string;
  /** Null: AWS's own ways to find them, beginning with `profile`. */
  readonly credentials: AwsCredentials | null;
  readonly profile: string | null;
}

/** Sign-in by password. */
export interface ResolvedScram {
  readonly type: 'scram';
  readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  readonly username: string;
  readonly password: string;
}

/** How to sign in, with defaults and environment filled in. */
export type ResolvedAuth =
  | ResolvedGlobus
  | ResolvedDiaspora
  | ResolvedScram
  | ResolvedAwsIam
  | { readonly type: 'mtls' }
  /** `module` is a URL. */
  | { readonly type: 'token'; readonly module: string }
  | { readonly type: 'none' };
