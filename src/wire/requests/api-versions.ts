/** ApiVersions: which requests a broker knows, and in which versions. */
import type { Api } from '../api.ts';

/** First and last version of one request that a broker takes. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

export interface ApiVersionsBody {
  /** Brokers take letters, digits, `-` and `.` in both (KIP-511). */
  readonly softwareName: string;
  readonly softwareVersion: string;
}

export interface ApiVersionsReply {
  readonly errorCode: number;
  /** By number of the request. */
  readonly ranges: ReadonlyMap<number, VersionRange>;
  readonly throttleMs: number;
}

/** A broker that does not know the version answers UNSUPPORTED_VERSION in version 0 (KIP-511): ask again with 0. */
const unsupportedVersion = 35;

export const apiVersions: Api<ApiVersionsBody, ApiVersionsReply> = {
  key: 18,
  name: 'ApiVersions',
  minVersion: 0,
  maxVersion: 3,
  flexible: (version) => version >= 3,
  encode({ softwareName, softwareVersion }, version, writer) {
    if (version < 3) return;
    writer.string(softwareName);
    writer.string(softwareVersion);
    writer.tags();
  },
  decode(reader, version) {
    const errorCode = reader.int16();
    const ranges = new Map<number, VersionRange>();
    if (errorCode === unsupportedVersion && version > 0) {
      reader.skipRest();
      return { errorCode, ranges, throttleMs: 0 };
    }
    reader.array(() => {
      ranges.set(reader.int16(), { min: reader.int16(), max: reader.int16() });
      reader.tags();
    });
    const throttleMs = version >= 1 ? reader.int32() : 0;
    reader.tags();
    return { errorCode, ranges, throttleMs };
  },
  throttleMs: ({ throttleMs }, version) => (version >= 2 ? throttleMs : 0),
};
