import { IMAGE_CHARS } from './tables.js';
import type { ClientMessage } from './wire.js';

/** `ratePerS` of anything on average, `burst` at once. Time is an argument, in ms. */
export class TokenBucket {
  #level: number;
  #at = 0;
  readonly #ratePerS: number;
  readonly #burst: number;

  constructor(ratePerS: number, burst: number) {
    this.#ratePerS = ratePerS;
    this.#burst = this.#level = burst;
  }

  /** Take `amount`. Returns 0, or nothing is taken: milliseconds until it can be, if nothing else is. */
  take(now: number, amount: number): number {
    this.#level = Math.min(this.#burst, this.#level + (Math.max(0, now - this.#at) / 1000) * this.#ratePerS);
    this.#at = now;
    const lacking = Math.max(0, amount - this.#level);
    if (!lacking) this.#level -= amount;
    return (lacking / this.#ratePerS) * 1000;
  }
}

/** Characters that a message takes from the budget of text. */
export function charsOf(message: ClientMessage): number {
  if (message.type === 'image') return IMAGE_CHARS;
  return message.type === 'text' || message.type === 'context' ? [...message.text].length : 0;
}
