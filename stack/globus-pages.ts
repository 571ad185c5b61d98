/** The pages that a person sees at the Globus stand-in: sign in, allow, and the code to copy. */
import { eventServiceScope } from './globus-facts.ts';
import { pageStyle } from './page-style.ts';

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (char) => escapes[char] ?? char);

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)} | local Globus stand-in</title>
<style>${pageStyle}</style>
</head>
<body><main>${body}<p class="note">A stand-in on this machine: no account is real, any password will do.</p></main></body>
</html>`;
}

/** `problem` says what is wrong with `username`, as it was typed. */
export function signInPage(
  action: string,
  clientName: string,
  problem?: string,
  username = 'scientist@example.org',
): string {
  const isWrong = problem !== undefined;
  return page(
    isWrong ? 'Error: sign in' : 'Sign in',
    `<h1>Sign in to use ${escaped(clientName)}</h1>
${isWrong ? `<p role="alert" id="problem">${escaped(problem)}</p>` : ''}
<form method="post" action="${escaped(action)}/login">
<label for="username">User name</label>
<input id="username" name="username" value="${escaped(username)}" autocomplete="username" inputmode="email" autocapitalize="none" spellcheck="false" required autofocus${isWrong ? ' aria-invalid="true" aria-describedby="problem"' : ''}>
<label for="password">Password</label>
<input id="password" name="password" type="password" value="anything" autocomplete="current-password">
<div class="actions"><button type="submit">Continue</button></div>
</form>`,
  );
}

export function consentPage(
  action: string,
  clientName: string,
  username: string,
  scopes: readonly string[],
): string {
  const items = scopes.map((scope) => `<li>${describe(scope)}</li>`).join('\n');
  return page(
    'Allow access',
    `<h1>${escaped(clientName)} would like to:</h1>
<ul>${items}</ul>
<p>Signed in as <strong>${escaped(username)}</strong>.</p>
<form method="post" action="${escaped(action)}/consent" class="actions">
<button type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="deny" class="quiet">Deny</button>
</form>`,
  );
}

/** Works without JavaScript too: the field is reached by Tab; the button shows itself where it can copy. */
export function codePage(code: string): string {
  return page(
    'Authorization code',
    `<h1>You are signed in</h1>
<p>Copy this code and paste it where you were asked for it. It is good for ten minutes, once.</p>
<label for="code">Authorization code</label>
<textarea id="code" rows="2" readonly autocomplete="off" spellcheck="false">${escaped(code)}</textarea>
<div class="actions"><button type="button" id="copy" hidden>Copy</button><p role="status" id="copied"></p></div>
<script>
  const [code, copy, copied] = ['code', 'copy', 'copied'].map((id) => document.getElementById(id));
  code.addEventListener('focus', () => code.select());
  copy.hidden = false;
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(code.value);
      copied.textContent = 'Copied.';
    } catch {
      code.focus();
      copied.textContent = 'The browser does not allow it: copy the selected code by hand.';
    }
  });
</script>`,
  );
}

/** Where there is no code: `problem` is an OAuth error code, such as `access_denied`, `detail` its description. */
export function problemPage(problem: string, detail: string): string {
  const isDenied = problem === 'access_denied';
  return page(
    isDenied ? 'Access denied' : 'Not signed in',
    `<h1>${isDenied ? 'You denied access' : 'No authorization code'}</h1>
<p role="alert" id="problem">${escaped(detail === '' ? problem : `${detail} (${problem}).`)}</p>
<p>${isDenied ? 'No code was issued, and nothing can act for you. ' : ''}To try again, go back to where you were asked for the code, and start again there.</p>`,
  );
}

/** A list item's HTML: what a scope means, and its name where that says more. */
function describe(scope: string): string {
  const known: Readonly<Record<string, string>> = {
    openid: 'Know who you are in Globus',
    email: 'See your email address',
    profile: 'See your name and user name',
    offline_access: 'Go on without you being there (a refresh token)',
    [eventServiceScope]: 'Write to and read from your topics in the event service',
  };
  const meaning = known[scope] ?? 'Act for you';
  return escaped(meaning) + (scope.includes(':') ? `<small>${escaped(scope)}</small>` : '');
}
