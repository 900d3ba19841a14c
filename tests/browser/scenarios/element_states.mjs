/**
 * A page with <vivavoce-call>, whose server nobody has started: as it comes in each of its manners, after a click, and in
 * a call with the test kit's server.
 */
import { brokenEverywhere, overhang } from '../rules.mjs';
import * as visit from '../visit.mjs';

const MANNERS = { 'push-to-talk': ['mode', 'push-to-talk'], 'text only': ['text-only', ''], 'in its own colours': ['theme', 'dark'] };

/** Runs in the page: a call that stands, with an answer that was cut. */
async function call(element) {
  const { FakeEngine, FakeServer } = await import('/sdk/dist/testing.js');
  const server = new FakeServer();
  const session = { url: 'wss://control.test', token: 'a.jwt' };
  element.options = { session, transport: server.transport, audio: { engine: new FakeEngine() } };
  await element.connect();
  const say = (message, role, text, more) => server.say({ type: 'transcript', message, turn: 1, role, text, final: true, ...more });
  say('u1', 'user', 'Could you tell me when the next train leaves?');
  say('a1', 'agent', 'It leaves at two, from platform seven.', { heard: 'It leaves at two,' });
}

export default async function elementStates(browser, { url }) {
  const page = await visit.open(browser, url, { witness: false });
  const element = page.locator('vivavoce-call');
  const looked = [];
  const look = async (name) => looked.push({ name, ...(await brokenEverywhere(page, name)), overhang: await overhang(page) });
  for (const [name, [attribute, value]] of Object.entries(MANNERS)) {
    await element.evaluate((card, given) => card.setAttribute(...given), [attribute, value]);
    await look(name);
    await element.evaluate((card, given) => card.removeAttribute(given), attribute);
  }
  await element.getByRole('button', { name: 'Start talking' }).press('Enter');
  const alert = element.getByRole('alert');
  await alert.waitFor();
  await look('an error');
  const told = await alert.innerText();
  const focused = await element.evaluate((card) => card.shadowRoot.activeElement?.textContent);
  await element.evaluate(call);
  await look('in a call');
  return { looked, told, focused };
}
