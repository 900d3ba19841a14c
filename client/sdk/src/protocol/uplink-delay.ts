import { PROBE_EVERY_MS, UPLINK_WINDOW_MS } from './tables.js';

/**
 * Waiting time on the way to the relay, from the pings among the frames; says when frames are to wait. What the socket has
 * taken cannot be taken back, and the system takes more than `bufferedAmount` tells: so only a little more audio is sent
 * than pongs have come for. The model has no part in it, which `ack` would have. Times are ms: `now` and `sentAt` of this
 * end's clock, `serverMs` of the relay's; another connection, perhaps to another clock, has another of this.
 */
export class UplinkDelay {
  /** Of the last ping that was answered. */
  ms = 0;
  #audioMs = 0; //: sent on this connection
  #pings: [at: number, audioMs: number][] = []; //: not answered: time, audio sent before it
  #probedMs = -Infinity; //: audio sent before the last ping
  #wayMs = 0;
  #leastMs = Infinity; //: a ping's way up when it did not wait, and the clocks' difference

  /** More audio is under way than the way explains: frames are to wait on this side of it. */
  get isFull(): boolean {
    return this.#audioMs - (this.#pings[0]?.[1] ?? Infinity) >= UPLINK_WINDOW_MS + this.#wayMs;
  }

  /** A frame is sent. Returns whether a ping with the time `now` has to go before it. */
  frame(lengthMs: number, now: number): boolean {
    const isDue = this.#audioMs - this.#probedMs >= PROBE_EVERY_MS;
    if (isDue) {
      this.#probedMs = this.#audioMs;
      this.#pings.push([now, this.#audioMs]);
    }
    this.#audioMs += lengthMs;
    return isDue;
  }

  /** A pong came. */
  answered(sentAt: number, serverMs: number, now: number): void {
    const upMs = serverMs - sentAt;
    this.#pings = this.#pings.filter(([at]) => at > sentAt);
    this.#leastMs = Math.min(this.#leastMs, upMs);
    this.ms = upMs - this.#leastMs;
    this.#wayMs = now - sentAt - this.ms;
  }
}
