import { offer } from '../protocol/credentials.js';
import type { ClientSession, Incoming } from '../protocol/session.js';
import { FATAL_CLOSE_MS, LIVE_TIMEOUT_MS, PING_AFTER_MS, SILENCE_MS } from '../protocol/tables.js';
import type { Media, Error as Refusal } from '../protocol/wire.js';
import { Line, type Link } from './line.js';
import type { Outbox } from './outbox.js';
import type { MediaClose } from './reconnect.js';

const TICK_MS = 1000;
const FROZEN_MS = 3000; //: a tick this late was frozen with its tab: what came meanwhile is not read yet

export interface MediaParts {
  readonly link: Link;
  readonly session: ClientSession;
  readonly outbox: Outbox;
  /** Once a second while live. */
  ticked(): void;
}

/** One media connection, from the handshake to the close. */
export class MediaRoad {
  #line: Line | null = null;
  #refusal: Refusal | null = null;
  #isReached = false;
  #liveAt = -1; //: never
  #heardAt = 0;
  #pingedAt = 0;
  #tickedAt = 0;
  #ticker: ReturnType<typeof setInterval> | undefined;
  readonly #parts: MediaParts;
  readonly #received: (item: Incoming) => void;

  constructor(parts: MediaParts, received: (item: Incoming) => void) {
    this.#parts = parts;
    this.#received = received;
  }

  /** Connect and talk until the connection is lost. */
  serve({ url, ticket, protocols }: Media): Promise<MediaClose> {
    const from = Date.now(); // which goes on while a page sleeps
    return new Promise((resolve) => {
      this.#line = new Line(this.#parts.link, 'media', url, offer('ticket', ticket, protocols), {
        opened: () => this.#sendHello(),
        received: (data) => this.#receive(data),
        closed: (code) => {
          clearInterval(this.#ticker);
          this.#parts.outbox.close();
          this.#parts.session.lost();
          resolve({
            code,
            refusal: this.#refusal,
            isReached: this.#isReached,
            liveMs: this.#liveAt < 0 ? -1 : performance.now() - this.#liveAt,
            ticketMs: Date.now() - from,
          });
        },
      });
    });
  }

  /** Close it from this end. */
  leave(): void {
    this.#line?.close(1000);
  }

  #sendHello(): void {
    this.#isReached = true;
    this.#line?.setDeadline(LIVE_TIMEOUT_MS);
    this.#line?.send(this.#parts.session.hello());
  }

  #receive(data: string | ArrayBuffer): void {
    const { session, outbox } = this.#parts;
    this.#heardAt = performance.now();
    const item = session.receive(data);
    if (!item || !this.#line) return;
    this.#line.show('in', item.type === 'audio' ? { binary: item.pcm.byteLength } : item);
    if (item.type === 'live') {
      this.#liveAt = this.#heardAt;
      this.#line.clearDeadline();
      outbox.open(this.#line);
      this.#tickedAt = this.#heardAt;
      this.#ticker = setInterval(() => this.#tick(performance.now()), TICK_MS);
    } else if (item.type === 'error' && item.fatal) {
      this.#refusal = item;
      this.#line.setDeadline(FATAL_CLOSE_MS);
    }
    if (item.type === 'pong') outbox.answered(item, this.#heardAt);
    this.#received(item);
    if (item.type === 'ended') this.leave();
  }

  #tick(now: number): void {
    if (now - this.#tickedAt > FROZEN_MS) this.#heardAt = Math.max(this.#heardAt, now - PING_AFTER_MS);
    this.#tickedAt = now;
    if (now - this.#heardAt >= SILENCE_MS) return this.#line?.close(0);
    if (now - this.#pingedAt >= PING_AFTER_MS) {
      this.#pingedAt = now;
      this.#line?.send({ type: 'ping', t: now });
    }
    this.#parts.ticked();
  }
}
