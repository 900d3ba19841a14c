/** What axe finds on a page as it stands, in the four widths that a layout must bear and in both colour schemes. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDTHS = [320, 768, 1024, 1440];
const HEIGHT = 800;

/** `{ checked, found }`: how many rules passed, and those that did not. Not by a script element: a policy would refuse it. */
export async function broken(page) {
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }));
  const found = violations.map(({ id, nodes }) => ({
    rule: id,
    at: nodes.map((node) => `${node.html.slice(0, 160)} | ${node.failureSummary}`),
  }));
  return { checked: passes.length, found };
}

export async function brokenEverywhere(page, name) {
  const all = { checked: 0, found: [] };
  for (const width of WIDTHS) {
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize({ width, height: HEIGHT });
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const { checked, found } = await broken(page);
      all.checked += checked;
      all.found.push(...found.map((each) => ({ at: `${name}, ${width}, ${colorScheme}`, ...each })));
    }
  }
  return all;
}

/** By how many pixels something is cut off at the right where the window is narrowest: by it, or by its card. */
export async function overhang(page) {
  await page.setViewportSize({ width: WIDTHS[0], height: HEIGHT });
  return page.evaluate(() => {
    const roots = [document, ...[...document.querySelectorAll('*')].flatMap((each) => each.shadowRoot ?? [])];
    const shown = roots.flatMap((root) => [...root.querySelectorAll('h1, p, button, input')]).filter((each) => each.offsetWidth > 1);
    const right = (element) => element.getBoundingClientRect().right;
    const over = shown.map((each) => right(each) - Math.min(innerWidth, right(each.closest('.card') ?? document.documentElement)));
    return Math.max(0, ...over.map(Math.ceil));
  });
}
