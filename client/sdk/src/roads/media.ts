import { offer } from '../protocol/credentials.js';
import type { ClientSession, Incoming } from '../protocol/session.js';
import type { Media, Error as Refusal } from '../protocol/wire.js';
import type { Link } from './link.js';
import type { Outbox } from './outbox.js';
import type { Socket } from './transport.js';

const OPEN_TIMEOUT_MS = 10_000; //: for the handshake
const LIVE_TIMEOUT_MS = 20_000; //: from there to `live`; the relay may have to open its model leg anew
const LAST_WORDS_MS = 2000; //: from a fatal error to the close that follows it
const TICK_MS = 1000;
const PING_MS = 5000;
const SILENCE_MS = 10_000; //: nothing at all for so long: lost. Phones and proxies often do not tell
const FROZEN_MS = 3000; //: a tick that is so late was frozen with its tab: what came meanwhile is not read yet

/** How a connection ended. */
export interface Parting {
  /** 0: by this end, because something did not come in time. */
  readonly code: number;
  /** The fatal error before it. */
  readonly refusal: Refusal | null;
  /** It came to `live`. */
  readonly isJoined: boolean;
  /** A reply was overdue. */
  readonly isTimeout: boolean;
}

export interface MediaEvents {
  received(item: Incoming): void;
  /** Once a second while live. */
  ticked(): void;
}

/** One media connection, from the handshake to the close. */
export class MediaRoad {
  /** Bytes received since the beginning. */
  bytes = 0;
  #socket: Socket | null = null;
  #refusal: Refusal | null = null;
  #isJoined = false;
  #hasGreeted = false;
  #heardAt = 0;
  #pingedAt = 0;
  #tickedAt = 0;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #settle: (parting: Parting) => void = () => {};
  readonly #link: Link;
  readonly #session: ClientSession;
  readonly #outbox: Outbox;
  readonly #events: MediaEvents;

  constructor(link: Link, session: ClientSession, outbox: Outbox, events: MediaEvents) {
    this.#link = link;
    this.#session = session;
    this.#outbox = outbox;
    this.#events = events;
  }

  /** Connect and talk until the connection is gone. */
  serve({ url, ticket }: Media): Promise<Parting> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#within(OPEN_TIMEOUT_MS);
      this.#socket = this.#link.transport.open(url, offer('ticket', ticket), {
        opened: () => this.#greet(),
        received: (data) => this.#receive(data),
        closed: (code) => this.#part(code, false),
      });
    });
  }

  /** Close it from this end. */
  leave(): void {
    this.#part(1000, false);
  }

  #greet(): void {
    this.#within(LIVE_TIMEOUT_MS);
    this.#heardAt = performance.now();
    const hello = this.#session.hello();
    this.#hasGreeted = true;
    this.#socket?.send(JSON.stringify(hello));
    this.#link.show('out', 'media', hello);
  }

  #receive(data: string | ArrayBuffer): void {
    if (!this.#socket) return;
    this.#heardAt = performance.now();
    this.bytes += typeof data === 'string' ? data.length : data.byteLength;
    const item = this.#session.receive(data);
    if (!item) return;
    this.#link.show('in', 'media', item.type === 'audio' ? { binary: item.pcm.byteLength } : item);
    if (item.type === 'live') {
      this.#isJoined = true;
      this.#within(0);
      this.#outbox.open(this.#socket, item, this.#session.resend(this.#heardAt), this.#heardAt);
      this.#keepAlive();
    } else if (item.type === 'error' && item.fatal) {
      this.#refusal = item;
      this.#within(LAST_WORDS_MS);
    }
    this.#events.received(item);
    if (item.type === 'ended') this.#part(1000, false);
  }

  #keepAlive(): void {
    this.#tickedAt = this.#heardAt;
    this.#ticker = setInterval(() => {
      const now = performance.now();
      if (now - this.#tickedAt > FROZEN_MS) this.#heardAt = Math.max(this.#heardAt, now - PING_MS);
      this.#tickedAt = now;
      if (now - this.#heardAt >= SILENCE_MS) return this.#part(0, true);
      if (now - this.#pingedAt >= PING_MS) {
        this.#pingedAt = now;
        this.#outbox.send({ type: 'ping', t: now }, now);
      }
      this.#events.ticked();
    }, TICK_MS);
  }

  /** The next step must come within `ms`; 0: it came. */
  #within(ms: number): void {
    clearTimeout(this.#deadline);
    if (ms) this.#deadline = setTimeout(() => this.#part(0, !this.#refusal), ms);
  }

  #part(code: number, isTimeout: boolean): void {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    clearTimeout(this.#deadline);
    clearInterval(this.#ticker);
    this.#outbox.close();
    socket.close(1000);
    if (this.#hasGreeted) this.#session.lost();
    this.#settle({ code, refusal: this.#refusal, isJoined: this.#isJoined, isTimeout });
  }
}
