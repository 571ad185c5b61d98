/** How the stack's pages look: those of the Globus stand-in and those of the topic service. */
import { createHash } from 'node:crypto';

/** Content of the one `style` element of a page. */
export const pageStyle = `
  /* --edge keeps 3:1 to what it lies on (WCAG 2.2, 1.4.11); --line is ornament. */
  :root { color-scheme: light dark; --ink: #17324d; --muted: #4a6078; --paper: #ffffff; --ground: #eef2f6; --accent: #1f5fa8; --line: #c5d0db; --edge: #6b7c8f; --alert: #b3261e; --good: #1b6e3c; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6edf4; --muted: #b3c1cf; --paper: #1b2836; --ground: #101820; --accent: #7db4f0; --line: #3b4d60; --edge: #8ba0b5; --alert: #ff8a80; --good: #7fd6a0; } }
  body { margin: 0; padding: 1rem; min-height: 100vh; box-sizing: border-box; display: grid; grid-template-columns: minmax(0, 1fr); place-items: center; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
  main { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: clamp(1.25rem, 6vw, 2rem); width: min(30rem, 100%); box-sizing: border-box; overflow-wrap: anywhere; }
  h1 { font-size: 1.35rem; line-height: 1.3; text-wrap: balance; margin: 0 0 1rem; }
  h2 { font-size: 1rem; line-height: 1.4; margin: 1.5rem 0 .25rem; }
  a { color: var(--accent); }
  ul { padding-left: 1.25rem; }
  li { margin: .35rem 0; }
  li small { display: block; color: var(--muted); }
  label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
  label + .hint { margin: 0 0 .35rem; }
  .hint { font-size: .9rem; color: var(--muted); }
  .wrong { font-size: .9rem; color: var(--alert); margin: 0 0 .35rem; font-weight: 600; }
  input, textarea { width: 100%; box-sizing: border-box; padding: .6rem; font: inherit; color: inherit; background: transparent; border: 1px solid var(--edge); border-radius: 6px; }
  input[aria-invalid=true] { border: 2px solid var(--alert); }
  textarea { display: block; resize: none; word-break: break-all; font-family: ui-monospace, monospace; }
  code { font-family: ui-monospace, monospace; font-size: .9em; }
  pre { margin: .35rem 0 0; padding: .75rem; border: 1px solid var(--line); border-radius: 6px; background: var(--ground); white-space: pre-wrap; }
  button { padding: .6rem 1.4rem; font: inherit; font-weight: 600; border-radius: 6px; border: 1px solid var(--accent); background: var(--accent); color: var(--paper); cursor: pointer; }
  button.quiet { background: transparent; color: var(--accent); }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
  .actions { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem; margin-top: 1.5rem; }
  .actions p { margin: 0; }
  .note { font-size: .85rem; color: var(--muted); margin: 1.5rem 0 0; padding-top: 1rem; border-top: 1px solid var(--line); }
  [role=alert] { border-left: 4px solid var(--alert); padding-left: .8rem; }
  .summary { margin: 1rem 0; padding: .6rem .8rem; background: var(--ground); border-radius: 0 6px 6px 0; }
  .summary p { margin: 0; }
  .done { border-left: 4px solid var(--good); padding-left: .8rem; }
`;

/** What a content security policy names, so that this style and no other is taken. */
export const styleHash = `sha256-${createHash('sha256').update(pageStyle).digest('base64')}`;
