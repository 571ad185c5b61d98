/** The pages that a person sees at the Globus stand-in: sign in, allow, and the code to copy. */

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
<style>
  :root { color-scheme: light dark; --ink: #17324d; --paper: #ffffff; --ground: #eef2f6; --accent: #1f5fa8; --line: #c5d0db; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6edf4; --paper: #1b2836; --ground: #101820; --accent: #7db4f0; --line: #3b4d60; } }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
  main { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 2rem; width: min(30rem, 100vw - 4rem); box-sizing: border-box; }
  h1 { font-size: 1.35rem; margin: 0 0 1rem; }
  label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
  input { width: 100%; box-sizing: border-box; padding: .6rem; font: inherit; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: 6px; }
  button { padding: .6rem 1.4rem; font: inherit; font-weight: 600; border-radius: 6px; border: 1px solid var(--accent); background: var(--accent); color: var(--paper); cursor: pointer; }
  button.quiet { background: transparent; color: var(--accent); }
  .actions { display: flex; gap: .75rem; margin-top: 1.5rem; }
  code { display: block; padding: .8rem; border: 1px dashed var(--line); border-radius: 6px; overflow-wrap: anywhere; user-select: all; }
  .note { font-size: .85rem; opacity: .8; margin: 1.5rem 0 0; }
  [role=alert] { border-left: 4px solid #c43d3d; padding-left: .8rem; }
</style>
</head>
<body><main>${body}<p class="note">A stand-in on this machine: no account is real, any password will do.</p></main></body>
</html>`;
}

export function signInPage(action: string, clientName: string, problem?: string): string {
  return page(
    'Sign in',
    `<h1>Sign in to use ${escaped(clientName)}</h1>
${problem === undefined ? '' : `<p role="alert">${escaped(problem)}</p>`}
<form method="post" action="${escaped(action)}/login">
<label for="username">User name</label>
<input id="username" name="username" value="scientist@example.org" autocomplete="username" required autofocus>
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
  const items = scopes.map((scope) => `<li>${escaped(describe(scope))}</li>`).join('\n');
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

export function codePage(code: string): string {
  return page(
    'Authorization code',
    `<h1>Authorization code</h1>
<p>Copy this code and paste it where you were asked for it. It is good for ten minutes, once.</p>
<code id="code">${escaped(code)}</code>
<div class="actions"><button type="button" onclick="navigator.clipboard.writeText(document.getElementById('code').textContent)">Copy</button></div>`,
  );
}

export function problemPage(problem: string, detail: string): string {
  return page(
    'Not signed in',
    `<h1>No authorization code</h1><p role="alert" id="problem">${escaped(problem)}</p><p>${escaped(detail)}</p>`,
  );
}

function describe(scope: string): string {
  const known: Readonly<Record<string, string>> = {
    openid: 'Know who you are in Globus',
    email: 'See your email address',
    profile: 'See your name and user name',
    offline_access: 'Go on without you being there (a refresh token)',
  };
  return known[scope] ?? `Act for you: ${scope}`;
}
