import type { Emitter } from '../events.js';
import type { Message, Shown } from '../ondemand/wire.js';
import { onDemand } from '../ondemand.js';
import { OPEN_TIMEOUT_MS } from '../protocol/tables.js';
import type { Socket, SocketEvents, Transport } from './transport.js';

/** Shared by all sockets of a call: their transport, their listeners, their byte counts. */
export interface Link {
  readonly transport: Transport;
  readonly emitter: Emitter;
  /** Since the last tick. */
  readonly bytes: { up: number; down: number };
}

/** One socket of a road, with a deadline for what must come next: when it passes, the socket closes with code 0. */
export class Line {
  #socket: Socket | null = null;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  readonly #link: Link;
  readonly #road: 'control' | 'media';
  readonly #events: SocketEvents;

  constructor(
    link: Link,
    road: 'control' | 'media',
    url: string,
    protocols: readonly string[],
    events: SocketEvents,
  ) {
    this.#link = link;
    this.#road = road;
    this.#events = events;
    this.setDeadline(OPEN_TIMEOUT_MS);
    this.#socket = link.transport.open(url, protocols, {
      opened: events.opened,
      received: (data) => this.#receive(data),
      closed: (code) => this.close(code),
    });
  }

  send(item: Message | Uint8Array<ArrayBuffer>): void {
    const data = item instanceof Uint8Array ? item : JSON.stringify(item);
    this.#link.bytes.up += data.length;
    this.#socket?.send(data);
    this.show('out', item);
  }

  /** Emit `wire`; nothing is made without a listener. */
  show(direction: 'in' | 'out', frame: Shown): void {
    const { emitter } = this.#link;
    if (!emitter.has('wire')) return;
    onDemand().then(
      ({ blank }) => emitter.emit('wire', direction, this.#road, blank(frame)),
      () => {}, // nothing is shown rather than a secret
    );
  }

  /** Close with code 0 in `ms`, unless the deadline is set anew or cleared. */
  setDeadline(ms: number): void {
    this.clearDeadline();
    this.#deadline = setTimeout(() => this.close(0), ms);
  }

  clearDeadline(): void {
    clearTimeout(this.#deadline);
  }

  close(code: number): void {
    if (!this.#socket) return;
    this.#socket.close(1000);
    this.#socket = null;
    this.clearDeadline();
    this.#events.closed(code);
  }

  #receive(data: string | ArrayBuffer): void {
    if (!this.#socket) return;
    this.#link.bytes.down += typeof data === 'string' ? data.length : data.byteLength;
    this.#events.received(data);
  }
}
