/** Claiming a topic as the web form does. */
import type { ServiceRequests } from './service-requests.ts';
import { namesIn, type TopicChange } from './topics.ts';

/** Sends the form that `/acl` shows. Throws what `ServiceRequests.ask` throws. */
export async function claimTopic(
  requests: ServiceRequests,
  subject: string,
  topic: string,
): Promise<TopicChange> {
  const { status, message, body } = await requests.ask({
    method: 'POST',
    path: '/acl',
    purpose: `to claim the topic ${JSON.stringify(topic)}`,
    subject,
    form: { subject_claim: subject, topic_name: topic },
    // The second time it is one's own.
    repeatable: true,
  });
  return { status, message, topics: namesIn(body['topics']) ?? [topic] };
}
