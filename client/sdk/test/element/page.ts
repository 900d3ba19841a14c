import '../../src/element/index.js';
import type { VivavoceCall } from '../../src/element/index.js';
import type { VoiceClientOptions } from '../../src/index.js';
import '../../src/ondemand/index.js'; // so that its first use takes no time
import { FakeEngine, FakeServer } from '../../src/testing/index.js';

/** What jsdom lacks and a card needs: a page whose layout never changes. */
class ResizeObserver {
  observe(): void {}
  disconnect(): void {}
}
Object.assign(globalThis, { ResizeObserver, matchMedia: () => Object.assign(new EventTarget(), { matches: true }) });

/** An event of the element. */
export type Told = [type: string, detail: unknown];

/** An element on the page, its server and its audio. */
export function place(attributes: Record<string, string> = {}, options: Partial<VoiceClientOptions> = {}) {
  const [server, engine] = [new FakeServer(), new FakeEngine()];
  const element = document.createElement('vivavoce-call') as VivavoceCall;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  const session = { url: 'wss://control.test', token: 'a.jwt' };
  element.options = { session, transport: server.transport, audio: { engine }, ...options };
  const told: Told[] = [];
  for (const type of ['call', 'message', 'error']) {
    element.addEventListener(type, (event) => told.push([type, (event as CustomEvent).detail]));
  }
  document.body.append(element);
  return { element, server, engine, told, card: cardOf(element) };
}

/** What is seen and pressed. */
function cardOf(element: VivavoceCall) {
  const root = element.shadowRoot as ShadowRoot;
  const one = <T extends HTMLElement>(selector: string) => root.querySelector<T>(selector) as T;
  const visible = (selector: string) => [...root.querySelectorAll<HTMLElement>(selector)].filter((each) => !each.closest('[hidden]'));
  return {
    root,
    key: (name: string) => one<HTMLButtonElement>(`[data-key=${name}]`),
    keys: () => visible('.key').map((key) => key.dataset['key']),
    lines: () => visible('.said').map((line) => [...line.querySelectorAll('.who, .heard, .unheard')].map((each) => each.textContent)),
    says: () => [one('.state').textContent, one('.hint').hidden ? null : one('.hint').textContent],
    alert: () => (one('.trouble').hidden ? null : one('.trouble p').textContent),
    offers: () => visible('.plain').map((each) => each.textContent),
    press: (text: string) => visible('button').find((each) => each.textContent === text)?.click(),
    announced: () => one('[role=status]').textContent,
    field: one<HTMLInputElement>('.field'),
    form: one<HTMLFormElement>('form'),
    focused: () => root.activeElement as HTMLElement | null,
  };
}

/** Let what is due run. */
export const settled = () => new Promise((resolve) => setTimeout(resolve, 5));
