import { uplinkMs } from '../protocol/audio.js';
import type { Numbered } from '../protocol/session.js';
import type { ClientMessage, Live } from '../protocol/wire.js';
import type { Link } from './link.js';
import type { Socket } from './transport.js';

const WAITING = 256; //: messages kept during a break
const BACKLOG_BYTES = 64_000; //: two seconds of speech in the socket: what comes on top would be too old
const HEADER_BYTES = 8;
const RESULTS_MS = 10_000; //: a tool's result may have been under way when the connection broke

interface Waiting {
  readonly at: number;
  readonly message: ClientMessage;
}

/** What goes up the media road: now, or after the break. Audio is kept by the session, not here. */
export class Outbox {
  /** Microphone audio given up because the socket was too slow. */
  droppedMs = 0;
  /** Since the beginning. */
  bytes = 0;
  #socket: Socket | null = null;
  #waiting: Waiting[] = [];
  #results: Waiting[] = [];
  #epoch = 0;
  #activity: ClientMessage | null = null; //: the last one written
  readonly #latest = new Map<string, ClientMessage>();
  readonly #link: Link;

  constructor(link: Link) {
    this.#link = link;
  }

  get isOpen(): boolean {
    return this.#socket !== null;
  }

  /** A connection is live: how things stand, then what waited and the kept frames, in the order they were made. */
  open(socket: Socket, live: Live, resend: readonly Numbered[], now: number): void {
    this.#socket = socket;
    const isMoved = live.e !== this.#epoch && this.#epoch !== 0;
    this.#epoch = live.e;
    for (const message of this.#latest.values()) this.#write(message);
    if (isMoved && this.#activity?.type === 'activity' && this.#activity.state === 'start') this.#write(this.#activity);
    const results = isMoved ? [] : this.#results.filter(({ at }) => at > now - RESULTS_MS);
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#results = [];
    const items: (Waiting | Numbered)[] = [...results, ...waiting, ...resend];
    items.sort((a, b) => a.at - b.at);
    for (const item of items) {
      if ('data' in item) this.#writeFrame(item.data);
      else this.send(item.message, item.at);
    }
  }

  close(): void {
    this.#socket = null;
  }

  /** Microphone audio: now or by the session's resend. */
  frame(frame: Numbered): void {
    if (!this.#socket) return;
    if (this.#socket.bufferedAmount > BACKLOG_BYTES) this.droppedMs += uplinkMs(frame.data.length - HEADER_BYTES);
    else this.#writeFrame(frame.data);
  }

  /** A message that must arrive; kept during a break. False: too many wait. */
  send(message: ClientMessage, now: number): boolean {
    if (message.type === 'tool.result') this.#results.push({ at: now, message });
    if (this.#socket) this.#write(message);
    else if (this.#waiting.length < WAITING) this.#waiting.push({ at: now, message });
    else return false;
    return true;
  }

  /** How something stands: worth something now; after a break the latest is told. */
  report(message: ClientMessage): void {
    this.#latest.set(message.type, message);
    if (this.#socket) this.#write(message);
  }

  #write(message: ClientMessage): void {
    if (message.type === 'activity') this.#activity = message;
    const text = JSON.stringify(message);
    this.bytes += text.length;
    this.#socket?.send(text);
    this.#link.show('out', 'media', message);
  }

  #writeFrame(data: Uint8Array<ArrayBuffer>): void {
    this.bytes += data.length;
    this.#socket?.send(data);
    this.#link.show('out', 'media', { binary: data.length });
  }
}
