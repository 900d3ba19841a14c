import { VivavoceCall, type VivavoceCallEventMap } from './element.js';

export { type CallDetail, VivavoceCall, type VivavoceCallEventMap } from './element.js';
export type { Problem } from './parts.js';
export { type Mode, type WordKey, type Words, WORDS } from './words.js';

/** Importing this module defines `<vivavoce-call>`; on a server it does nothing. */
if (globalThis.customElements && !customElements.get('vivavoce-call'))
  customElements.define('vivavoce-call', VivavoceCall);

declare global {
  interface HTMLElementTagNameMap {
    'vivavoce-call': VivavoceCall;
  }
}

/** Types of `addEventListener`, for the element's own events. */
declare module './element.js' {
  interface VivavoceCall {
    addEventListener<E extends keyof VivavoceCallEventMap>(
      type: E,
      listener: (event: VivavoceCallEventMap[E]) => void,
      options?: boolean | AddEventListenerOptions,
    ): void;
    addEventListener(
      type: string,
      listener: EventListenerOrEventListenerObject,
      options?: boolean | AddEventListenerOptions,
    ): void;
  }
}
