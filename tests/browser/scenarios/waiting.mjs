/** Begins a call that nobody answers, and reads what the page says of the microphone. */
import * as visit from '../visit.mjs';

export default async function waiting(browser, { url }) {
  const page = await visit.open(browser, url);
  const microphone = page.locator('.tape-you span');
  const before = await microphone.innerText();
  await visit.start(page);
  await page.waitForFunction(() => !/off|asking/i.test(document.querySelector('.tape-you span').textContent), null, { timeout: 15_000 });
  const [state, during] = [await visit.stateWord(page), await microphone.innerText()];
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Start talking' }).waitFor();
  return { before, state, during, after: await microphone.innerText() };
}
