/** Node's version, and the options with all that flags, file and environment say. */
import { type ResolvedConnection, resolveProducer } from '../../options.ts';
import { addressText } from '../../wire/broker-address.ts';
import { type ConnectionFlags, optionsFrom } from '../connection-flags.ts';
import { exitCodes } from '../exit-codes.ts';
import { topicOf } from '../topic-name.ts';
import { type Finding, ok } from './examination.ts';

/** What the command line was asked. */
export interface Asked {
  readonly topicArgument: string | undefined;
  readonly flags: DoctorFlags;
  readonly env: NodeJS.ProcessEnv;
}

export interface DoctorFlags extends ConnectionFlags {
  readonly topic?: string;
  readonly write: boolean;
  readonly json?: boolean;
}

/** `engines` of package.json. */
const leastNode = [20, 19, 0] as const;

export function examineNode(version: string = process.versions.node): Finding<true> {
  const parts = version.split('.').map(Number);
  const older = leastNode.find((least, index) => (parts[index] ?? 0) !== least);
  const at = older === undefined ? -1 : leastNode.indexOf(older);
  if (at >= 0 && (parts[at] ?? 0) < (leastNode[at] ?? 0)) {
    return {
      status: 'failed',
      notes: [{ text: version, advice: `Use Node ${leastNode.join('.')} or newer.` }],
      exitStatus: exitCodes.usage,
    };
  }
  return ok(true, version);
}

/** What is to be looked at. */
export interface Configuration {
  readonly options: ResolvedConnection;
  /** Null where none is named. */
  readonly topic: string | null;
}

/** Throws `ConfigurationError`. */
export function examineOptions({ topicArgument, flags, env }: Asked): Finding<Configuration> {
  const { connection, delivery, routing } = optionsFrom(flags);
  const options = resolveProducer({ ...connection, ...delivery }, env);
  const topic = topicOf({ argument: topicArgument, flags, routing, env });
  const { auth, tls, bootstrapBrokers } = options;
  const brokers = bootstrapBrokers.map(addressText).join(', ') || 'those of the service key';
  return ok(
    { options, topic },
    `auth ${auth.type}, ${tls ? 'TLS' : 'plain text'}, brokers ${brokers}, ${topic === null ? 'no topic' : `topic ${topic}`}`,
  );
}
