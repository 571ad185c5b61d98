/** The stack's topic service as tests use it, from any process. */
import { controlPath, type ServiceRequest, type ServiceSwitches } from './switches.ts';

export interface TopicService {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Changes switches; those not named stay as they are. */
  set(change: Partial<ServiceSwitches>): Promise<void>;
  /** What was asked since the start or the last reset, in order, but for what brokers ask. */
  requests(): Promise<readonly ServiceRequest[]>;
  /** Switches back to the start, the record emptied, hanging requests ended. */
  reset(): Promise<void>;
}

export function connectTopicService(url: string): TopicService {
  const control = async (action: string, body: object = {}): Promise<unknown> => {
    const response = await fetch(`${url}${controlPath}/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`The topic service answered ${response.status}.`);
    return response.json();
  };
  return {
    url,
    async set(change) {
      await control('switches', change);
    },
    async requests() {
      const reply = await control('requests');
      return Array.isArray(reply) ? reply.filter(isServiceRequest) : [];
    },
    async reset() {
      await control('reset');
    },
  };
}

function isServiceRequest(value: unknown): value is ServiceRequest {
  const names = ['method', 'path', 'at', 'status'];
  return typeof value === 'object' && value !== null && names.every((name) => name in value);
}
