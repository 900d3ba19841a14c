/** A page with <vivavoce-call> whose server nobody has started: as it comes, in its other manners, and after a click. */
import { brokenEverywhere, overhang } from '../rules.mjs';
import * as visit from '../visit.mjs';

const MANNERS = { 'push-to-talk': ['mode', 'push-to-talk'], 'text only': ['text-only', ''], 'in its own colours': ['theme', 'dark'] };

export default async function elementStates(browser, { url }) {
  const page = await visit.open(browser, url, { witness: false });
  const call = page.locator('vivavoce-call');
  const rules = [];
  for (const [name, [attribute, value]] of Object.entries(MANNERS)) {
    await call.evaluate((element, given) => element.setAttribute(...given), [attribute, value]);
    rules.push(await brokenEverywhere(page, name));
    await call.evaluate((element, given) => element.removeAttribute(given), attribute);
  }
  await call.getByRole('button', { name: 'Start talking' }).press('Enter');
  const alert = call.getByRole('alert');
  await alert.waitFor();
  rules.push(await brokenEverywhere(page, 'an error'));
  const focused = await call.evaluate((element) => element.shadowRoot.activeElement?.textContent);
  return { rules, told: await alert.innerText(), focused, overhang: await overhang(page) };
}
