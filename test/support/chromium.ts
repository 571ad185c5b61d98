/** The Chromium that is installed on this machine, and what is wrong with a page that it shows. */
import { spawnSync } from 'node:child_process';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { onTestFinished, type TestContext } from 'vitest';

/** Null where no Chromium is installed. `home`: a directory for what it writes. */
export async function launchChromium(home: string): Promise<Browser | null> {
  const executablePath = installedChromium();
  if (executablePath === null) return null;
  return chromium.launch({
    executablePath,
    // Its settings are made anew; this keeps crash reports and caches away from the person's own.
    env: { PATH: process.env['PATH'], HOME: home },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

function installedChromium(): string | null {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    const { status, stdout } = spawnSync('which', [name], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  return null;
}

/** A page of a browser session of its own. Skips the test, and says so, where there is no browser. */
export async function openPage(
  browser: Browser | null,
  test: TestContext,
  options: BrowserContextOptions = {},
): Promise<Page> {
  if (browser === null) return test.skip('no Chromium: install it (Debian: chromium)');
  const session = await browser.newContext(options);
  session.setDefaultTimeout(15_000);
  onTestFinished(() => session.close());
  return session.newPage();
}

/** What a screen reader says of the element that has the focus. */
export const focused = (page: Page): Promise<string> => page.locator(':focus').ariaSnapshot();

/**
 * What axe finds wrong with a page (labels, contrast, landmarks, sizes), what it cannot judge of its
 * contrast, and whether it is wider than its window.
 */
export async function pageFaults(page: Page): Promise<string[]> {
  // By the debugger: the page's own content security policy lets no script in.
  await page.evaluate(axe.source);
  const { violations, incomplete } = await page.evaluate<AxeResults>('axe.run()');
  const excess = await page.evaluate<number>(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
  return [
    ...[...violations, ...incomplete.filter(({ id }) => id === 'color-contrast')].flatMap((rule) =>
      rule.nodes.map(({ html, failureSummary }) => `${rule.id}: ${html}: ${failureSummary}`),
    ),
    ...(excess > 0 ? [`${excess} px wider than the window`] : []),
  ];
}
