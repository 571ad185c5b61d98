/** The claim page, `/acl`: a form for people, and the same for programs. */
import { fileURLToPath } from 'node:url';
import fastifyView from '@fastify/view';
import { Eta } from 'eta';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { pageStyle } from '../page-style.ts';
import type { Change } from './claimed-topics.ts';
import { readSubject } from './identity.ts';
import type { ServiceParts } from './parts.ts';
import { type FormField, Refusal } from './refusal.ts';
import { formatFor } from './replies.ts';
import { checkFormName } from './topic-names.ts';

const claimPath = '/acl';

/** What the form shows in its fields. The token is never among it. */
interface Filled {
  readonly subject_claim: string;
  readonly topic_name: string;
}

/** What became of a claim. */
interface Claimed extends Filled {
  readonly change: Change;
  readonly sentence: string;
  /** The page with the form filled in. */
  readonly link: string;
  /** The same claim for a shell, the token by a variable. */
  readonly curl: string;
}

const fieldNames: readonly (keyof Filled)[] = ['subject_claim', 'topic_name'];

export async function addClaimPage(app: FastifyInstance, parts: ServiceParts): Promise<void> {
  const { callers, claimed, url } = parts;
  await app.register(fastifyView, {
    engine: { eta: new Eta({ autoEscape: true, cache: true }) },
    templates: fileURLToPath(new URL('views', import.meta.url)),
    viewExt: 'eta',
    defaultContext: { style: pageStyle, action: claimPath },
  });

  app.get('/', async (_request, reply) => reply.redirect(claimPath));

  app.get(claimPath, async (request, reply) =>
    reply.viewAsync('claim', { filled: filledIn(request.query), refusal: null, claimed: null }),
  );

  app.post(claimPath, async (request, reply) => {
    const form = fieldsOf(request.body);
    // Before anybody is asked about the token: what is plainly wrong costs nothing.
    const subject = readSubject(form('subject_claim'));
    const topic = form('topic_name').trim();
    checkFormName(topic);
    const change = await callers.serve(subject, form('access_token'), reply, (caller) =>
      claimed.claim(topic, caller),
    );
    return showClaimed(
      request,
      reply,
      outcome(url, { subject_claim: subject, topic_name: topic }, change),
    );
  });
}

/** A refusal of the page's own, with the form as it was filled in. */
export function showOnPage(
  refusal: Refusal,
  request: FastifyRequest,
  reply: FastifyReply,
): boolean {
  const isHere = [claimPath, '/'].includes(request.routeOptions.url ?? '');
  const format = formatFor(request);
  if (format === 'json' || !(isHere || format === 'html')) return false;
  if (format === 'text') {
    reply.type('text/plain; charset=utf-8').send(`${refusal.message}\n`);
    return true;
  }
  reply.view(isHere ? 'claim' : 'problem', {
    filled: filledIn(request.body),
    refusal: { sentence: refusal.message, field: refusal.field },
    claimed: null,
  });
  return true;
}

function showClaimed(
  request: FastifyRequest,
  reply: FastifyReply,
  result: Claimed,
): FastifyReply | Promise<string> {
  switch (formatFor(request)) {
    case 'html':
      return reply.viewAsync('claim', { filled: result, refusal: null, claimed: result });
    case 'json':
      return reply.send({
        status: result.change,
        message: result.sentence,
        subject: result.subject_claim,
        topic: result.topic_name,
        link: result.link,
        curl: result.curl,
      });
    case 'text':
      return reply
        .type('text/plain; charset=utf-8')
        .send(
          `${result.sentence}\n\nClaim another in a browser:\n${result.link}\n\nThe same for a shell:\n${result.curl}\n`,
        );
  }
}

function outcome(url: string, filled: Filled, change: Change): Claimed {
  const { topic_name, subject_claim } = filled;
  const query = new URLSearchParams({ subject_claim, topic_name });
  return {
    ...filled,
    change,
    sentence:
      change === 'success'
        ? `The topic ${topic_name} is yours now.`
        : `The topic ${topic_name} was yours already: nothing has changed.`,
    link: `${url}${claimPath}?${query}`,
    curl: [
      `curl ${shellQuoted(`${url}${claimPath}`)}`,
      ...[`subject_claim=${subject_claim}`, `topic_name=${topic_name}`].map(
        (field) => `--data-urlencode ${shellQuoted(field)}`,
      ),
      '--data-urlencode "access_token=$ACCESS_TOKEN"',
    ].join(' \\\n  '),
  };
}

/** For a POSIX shell, which takes everything between single quotes as it is. */
const shellQuoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** @throws Refusal where a field is there twice. */
function fieldsOf(body: unknown): (name: FormField) => string {
  const fields: Record<string, unknown> = { ...Object(body) };
  return (name) => {
    const value = fields[name] ?? '';
    if (typeof value === 'string') return value;
    throw new Refusal(400, 'BAD_REQUEST', `The form has the field ${name} more than once.`);
  };
}

function filledIn(from: unknown): Filled {
  const given: Record<string, unknown> = { ...Object(from) };
  const [subject_claim = '', topic_name = ''] = fieldNames.map((name) => {
    const value = given[name];
    return typeof value === 'string' ? value.slice(0, 300) : '';
  });
  return { subject_claim, topic_name };
}
