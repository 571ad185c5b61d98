/** Sign-in and consent at the Globus stand-in: the pages' requests, turned into oidc-provider's answers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type Provider from 'oidc-provider';
import { isUsername, paths, personNamed } from './globus-facts.ts';
import { codePage, consentPage, problemPage, signInPage } from './globus-pages.ts';

/** Answers the stand-in's own pages. False where the request is for the provider. */
export async function answerPage(
  provider: Provider,
  people: Map<string, string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const url = new URL(request.url ?? '/', provider.issuer);
  if (url.pathname === paths.authCode) {
    const code = url.searchParams.get('code');
    html(
      response,
      code === null
        ? problemPage(
            url.searchParams.get('error') ?? 'No code',
            url.searchParams.get('error_description') ?? '',
          )
        : codePage(code),
    );
    return true;
  }
  if (!url.pathname.startsWith(`${paths.interaction}/`)) return false;
  const { prompt, params, uid, session, grantId } = await provider.interactionDetails(
    request,
    response,
  );
  const action = `${paths.interaction}/${uid}`;
  const clientId = String(params['client_id']);
  const name = (await provider.Client.find(clientId))?.clientName ?? clientId;
  const form = request.method === 'POST' ? new URLSearchParams(await text(request)) : null;

  if (form && url.pathname === `${action}/login`) {
    const username = (form.get('username') ?? '').trim();
    if (!isUsername(username)) {
      html(
        response,
        signInPage(action, name, 'A user name looks like name@example.org.', username),
      );
      return true;
    }
    const { subject } = personNamed(username);
    people.set(subject, username);
    await provider.interactionFinished(request, response, { login: { accountId: subject } });
  } else if (form && url.pathname === `${action}/consent`) {
    if (form.get('decision') !== 'allow') {
      await provider.interactionFinished(request, response, {
        error: 'access_denied',
        error_description: 'The resource owner denied the request',
      });
      return true;
    }
    const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
    const accountId = session?.accountId;
    const grant = known ?? new provider.Grant({ clientId, ...(accountId && { accountId }) });
    grant.addOIDCScope(String(params['scope']));
    await provider.interactionFinished(
      request,
      response,
      { consent: { grantId: await grant.save() } },
      { mergeWithLastSubmission: true },
    );
  } else if (prompt.name === 'login') {
    html(response, signInPage(action, name));
  } else {
    const username = people.get(session?.accountId ?? '') ?? 'somebody';
    html(response, consentPage(action, name, username, String(params['scope']).split(' ')));
  }
  return true;
}

function html(response: ServerResponse, page: string): void {
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.end(page);
}
