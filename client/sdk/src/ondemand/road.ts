import type { SessionSource } from '../options.js';
import { offer } from '../protocol/credentials.js';
import { OPEN_TIMEOUT_MS, RESUME_TIMEOUT_MS } from '../protocol/tables.js';
import type { Socket, SocketEvents, Transport } from '../roads/transport.js';

const SPARE_MS = 5000; //: a token that expires sooner may be too old when `start` arrives

export type Opening = Parameters<Transport['open']>;

/** One control connection that is opened before anybody has called. Closes when its page is hidden or offline. */
export class Road {
  /** Resolves when it is open, or over. */
  readonly settled: Promise<void>;
  #state: 'opening' | 'open' | 'taken' | 'over' = 'opening';
  #lifeMs = 0;
  #closesAt = Infinity; //: epoch ms: timers stand still while a machine sleeps
  #expiresAt = Infinity; //: the token
  #opening = ''; //: what it was opened with
  #socket: Socket | null = null;
  #taker: SocketEvents | null = null;
  #settle = () => {};
  #timer: ReturnType<typeof setTimeout>;
  readonly #jwt: Promise<string>; //: empty: not to be had
  readonly #stop = new AbortController();
  readonly #source: SessionSource;
  readonly #transport: Transport;
  readonly #gone: (hasFailed: boolean) => void;

  constructor(source: SessionSource, transport: Transport, gone: (hasFailed: boolean) => void) {
    this.#source = source;
    this.#transport = transport;
    this.#gone = gone;
    this.settled = new Promise((resolve) => (this.#settle = resolve));
    this.#timer = setTimeout(() => this.close(true), OPEN_TIMEOUT_MS);
    this.#heedPage();
    this.#jwt = this.#open().catch(() => {
      this.close(true);
      return '';
    });
  }

  /** It is what a call of this source would open. A token from a function is taken to be the same user's. */
  serves({ url, token }: SessionSource): boolean {
    const { url: ours, token: old } = this.#source;
    return url === ours && (token === old || (typeof token !== 'string' && typeof old !== 'string'));
  }

  /** Keep it for so long from now, once it is open. */
  keep(lifeMs: number): void {
    this.#lifeMs = lifeMs;
    if (this.#state === 'open') this.#live();
  }

  /** Close it, unless a call has it. */
  close(hasFailed = false): void {
    if (!this.#isFree) return;
    this.#leave('over', hasFailed);
    this.#socket?.close(1000);
  }

  /** The token that opened it; empty: the call needs another. */
  async token(): Promise<string> {
    const jwt = await this.#jwt;
    if (Date.now() >= this.#closesAt) this.close();
    return this.#isFree ? jwt : '';
  }

  /** Hand the connection to a call that opens just this one. Null: it is over, and the call opens its own. */
  take([url, protocols, events]: Opening): Socket | null {
    if (String([url, protocols]) !== this.#opening || Date.now() >= this.#closesAt) this.close();
    if (!this.#isFree) return null;
    let isNew = this.#state === 'opening'; // and fails in its own time: then the call tries anew
    this.#leave('taken');
    if (!isNew) queueMicrotask(() => events.opened());
    this.#taker = {
      opened: () => {
        isNew = false;
        events.opened();
      },
      received: (data) => events.received(data),
      closed: (code) => {
        if (!isNew) return events.closed(code);
        this.#taker = null; // the call's own from here on
        this.#socket = this.#transport.open(url, protocols, events);
      },
    };
    return {
      send: (data) => {
        this.#socket?.send(data);
        clearTimeout(this.#timer);
        // The network may have gone without a word. What is asked first is safe to repeat.
        this.#timer = setTimeout(() => this.#taker?.closed(1006), RESUME_TIMEOUT_MS);
      },
      close: (code, reason) => {
        isNew = false;
        clearTimeout(this.#timer);
        this.#socket?.close(code, reason);
      },
    };
  }

  get #isFree(): boolean {
    return this.#state === 'opening' || this.#state === 'open';
  }

  async #open(): Promise<string> {
    const { url, token } = this.#source;
    const { signal } = this.#stop;
    const jwt = typeof token === 'string' ? token : await token({ reason: 'connect', signal });
    if (!this.#isFree) return '';
    const protocols = offer('jwt', jwt);
    this.#opening = String([url, protocols]);
    this.#expiresAt = expiryOf(jwt);
    this.#socket = this.#transport.open(url, protocols, {
      opened: () => {
        if (this.#taker) this.#taker.opened();
        else this.#live();
      },
      received: (data) => {
        clearTimeout(this.#timer);
        this.#taker?.received(data);
      },
      closed: (code) => {
        clearTimeout(this.#timer);
        if (this.#taker) this.#taker.closed(code);
        else this.close(this.#state === 'opening');
      },
    });
    return jwt;
  }

  /** Until its time is over, or that of its token by this clock, unless that was over from the first. */
  #live(): void {
    const now = Date.now();
    const expiresAt = this.#expiresAt > now ? this.#expiresAt - SPARE_MS : Infinity;
    this.#state = 'open';
    this.#closesAt = Math.min(now + this.#lifeMs, expiresAt);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(), this.#closesAt - now);
    this.#settle();
  }

  #leave(state: 'taken' | 'over', hasFailed = false): void {
    this.#state = state;
    clearTimeout(this.#timer);
    this.#stop.abort();
    this.#settle();
    this.#gone(hasFailed);
  }

  #heedPage(): void {
    const { signal } = this.#stop;
    const close = () => this.close();
    globalThis.document?.addEventListener('visibilitychange', () => document.hidden && close(), { signal });
    // A page with an open socket may not come into the back/forward cache.
    for (const type of ['pagehide', 'offline']) globalThis.addEventListener?.(type, close, { signal });
  }
}

/** Epoch ms; Infinity where the token does not say. */
function expiryOf(jwt: string): number {
  try {
    const claims = (jwt.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(atob(claims)).exp * 1000 || Infinity;
  } catch {
    return Infinity;
  }
}
