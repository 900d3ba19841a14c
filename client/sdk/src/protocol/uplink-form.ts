import { ADPCM_MAX_MS, ADPCM_MS, NARROW_MS } from './tables.js';

/**
 * Form of microphone audio: ADPCM from the first frame that had to be dropped, then PCM again, after longer and longer
 * times. How wide a line is cannot be seen while a third of it is used, only by PCM itself: so PCM is tried, and when
 * that fails soon, not again for twice as long. Times are ms of any clock.
 */
export class UplinkForm {
  #until = -Infinity; //: ADPCM
  #waitMs = 0; //: the last time of ADPCM; what has not failed for as long counts as wide

  /** The line does not carry PCM, or did not a moment before. */
  get narrowUntil(): number {
    return this.#until + NARROW_MS;
  }

  /** A frame was dropped that had waited too long for room. `isPossible`: the server takes ADPCM. */
  dropped(now: number, isPossible: boolean): void {
    if (now >= this.#until + this.#waitMs) this.#waitMs = ADPCM_MS;
    else if (now >= this.#until) this.#waitMs = Math.min(2 * this.#waitMs, ADPCM_MAX_MS);
    if (!isPossible) this.#waitMs = 0;
    this.#until = now + this.#waitMs;
  }

  /** A frame has to wait for room. A try of PCM fails at that, before anything is dropped. */
  held(now: number): void {
    if (this.#waitMs && now >= this.#until && now < this.narrowUntil) this.dropped(now, true);
  }

  isAdpcm(now: number): boolean {
    return now < this.#until;
  }
}
