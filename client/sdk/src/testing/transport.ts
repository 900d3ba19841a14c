import type { Socket, SocketEvents, Transport } from '../index.js';

/** A socket whose other end is the test. */
export class FakeSocket implements Socket {
  /** Frames the client sent, in order: text decoded, binary as it is. */
  readonly sent: (Readonly<Record<string, unknown>> | Uint8Array<ArrayBuffer>)[] = [];
  isOpen = false;
  isClosed = false;
  /** Hears what the client sends. */
  onSend: ((item: Readonly<Record<string, unknown>> | Uint8Array<ArrayBuffer>) => void) | null = null;
  readonly url: string;
  readonly protocols: readonly string[];
  readonly #events: SocketEvents;

  constructor(url: string, protocols: readonly string[], events: SocketEvents) {
    this.url = url;
    this.protocols = protocols;
    this.#events = events;
  }

  /** Control sockets offer a JWT, media sockets a ticket. */
  get road(): 'control' | 'media' {
    return this.protocols.some((entry) => entry.startsWith('vivavoce.jwt.')) ? 'control' : 'media';
  }

  /** The JSON messages the client sent. */
  get messages(): Readonly<Record<string, unknown>>[] {
    return this.sent.filter((item): item is Readonly<Record<string, unknown>> => !(item instanceof Uint8Array));
  }

  /** The binary frames the client sent. */
  get frames(): Uint8Array<ArrayBuffer>[] {
    return this.sent.filter((item): item is Uint8Array<ArrayBuffer> => item instanceof Uint8Array);
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (!this.isOpen || this.isClosed) return;
    const item = typeof data === 'string' ? JSON.parse(data) : data;
    this.sent.push(item);
    queueMicrotask(() => this.onSend?.(item));
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    queueMicrotask(() => this.#events.closed(1000));
  }

  /** The handshake succeeds. */
  accept(): void {
    this.isOpen = true;
    this.#events.opened();
  }

  /** The server says something; objects are encoded. */
  receive(data: object | string | ArrayBuffer): void {
    if (this.isClosed) return;
    const isRaw = typeof data === 'string' || data instanceof ArrayBuffer;
    this.#events.received(isRaw ? data : JSON.stringify(data));
  }

  /** Cut the connection: by the network, or by the server with a close code. */
  cut(code = 1006): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#events.closed(code);
  }
}

/** A transport without a network. `onOpen` plays the server; without it the test does. */
export class FakeTransport implements Transport {
  readonly sockets: FakeSocket[] = [];
  onOpen: ((socket: FakeSocket) => void) | null = null;

  open(url: string, protocols: readonly string[], events: SocketEvents): FakeSocket {
    const socket = new FakeSocket(url, protocols, events);
    this.sockets.push(socket);
    queueMicrotask(() => this.onOpen?.(socket));
    return socket;
  }

  /** Sockets of one road that are open now. */
  openOn(road: 'control' | 'media'): FakeSocket[] {
    return this.sockets.filter((socket) => socket.road === road && socket.isOpen && !socket.isClosed);
  }
}
