/** Every scripted scene in windows of every shape: what of it cannot be seen, reached or read. */
const WINDOWS = [
  [320, 640],
  [390, 844],
  [740, 360], // a phone on its side
  [640, 400], // 1280 × 800 at 200 %
  [320, 256], // 1280 × 1024 at 400 %
  [768, 1024],
  [820, 1180],
  [860, 800],
  [1024, 768],
  [1440, 900],
];
const SCENES = ['idle', 'connecting', 'call', 'reconnecting', 'error'];
const TRANSCRIPT_PX = 120; //: four lines: less is no conversation

export default async function layouts(browser, { url }) {
  const found = [];
  const page = await browser.newPage();
  await page.emulateMedia({ reducedMotion: 'reduce' });
  for (const scene of SCENES) {
    await page.goto(`${url}/?demo=${scene}`);
    await page.locator('.words-state').waitFor();
    for (const [width, height] of WINDOWS) {
      await page.setViewportSize({ width, height });
      const faults = await page.evaluate(look, TRANSCRIPT_PX);
      found.push(...faults.map((fault) => `${scene} ${width}x${height}: ${fault}`));
    }
  }
  return { found };
}

/** In the page. A control counts as reachable where it can be scrolled into the window. */
function look(transcriptPx) {
  const found = [];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const name = (element) => (element.getAttribute('aria-label') ?? element.textContent ?? element.tagName).trim().slice(0, 40);
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth - innerWidth} px too wide`);
  for (const control of document.querySelectorAll('button, input, select, summary')) {
    if (!shown(control) || control.closest('dialog')) continue;
    control.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    const { left, right, top, bottom } = control.getBoundingClientRect();
    const beyond = Math.max(-left, right - innerWidth, -top, bottom - innerHeight);
    if (beyond > 1) found.push(`${name(control)} is cut off by ${Math.round(beyond)} px`);
    if (control.scrollWidth > control.clientWidth + 1 && control.tagName === 'BUTTON') found.push(`${name(control)} is wider than its key`);
  }
  const words = [...document.querySelectorAll('.words-state, .mode, .key, .composer, .brand, .connection, .views')].filter(shown);
  for (const [index, one] of words.entries())
    for (const other of words.slice(index + 1)) {
      const [a, b] = [one, other].map((each) => each.getBoundingClientRect());
      const text = one.matches('.words-state') ? textBox(one) : a;
      if (text.right > b.left + 1 && b.right > text.left + 1 && text.bottom > b.top + 1 && b.bottom > text.top + 1)
        found.push(`${name(one)} lies over ${name(other)}`);
    }
  const transcript = document.querySelector('.scroll');
  if (transcript && shown(transcript) && transcript.clientHeight < transcriptPx) found.push(`${transcript.clientHeight} px of transcript`);
  for (const fact of document.querySelectorAll('.facts dd')) {
    if (shown(fact) && fact.scrollWidth > fact.clientWidth + 1) found.push(`the figure ${name(fact)} runs over`);
  }
  for (const text of document.querySelectorAll('.said-words, .composer input'))
    if (text.dir !== 'auto') found.push(`${name(text)} has one direction for all languages`);
  scrollTo(0, 0);
  return found;

  function textBox(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    return range.getBoundingClientRect();
  }
}
