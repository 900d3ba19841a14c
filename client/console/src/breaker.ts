import type { Socket, SocketEvents, Transport } from 'vivavoce';

export type Road = 'control' | 'media';

const REFUSAL_MS = 50; //: how long a connection that cannot come about takes to say so

/** A network that can be cut: it makes the SDK's sockets, and takes them away as a bad line would. */
export class Breaker implements Transport {
  readonly #lines = new Map<Line, Road>();
  #downUntil = 0;
  #isNextControlDoomed = false;

  open(url: string, protocols: readonly string[], events: SocketEvents): Socket {
    const road: Road = protocols.some((each) => each.startsWith('vivavoce.ticket.')) ? 'media' : 'control';
    const isDoomed = road === 'control' && this.#isNextControlDoomed;
    if (isDoomed) this.#isNextControlDoomed = false;
    const line: Line = new Line(isDoomed ? afterItsRequest(events, () => line.fall()) : events, () => this.#lines.delete(line));
    this.#lines.set(line, road);
    if (performance.now() < this.#downUntil) setTimeout(() => line.fall(), REFUSAL_MS);
    else line.connect(url, protocols);
    return line;
  }

  /** Cuts what is open of these roads, in one moment and without a close frame. Returns how many were cut. */
  cut(...roads: Road[]): number {
    const falling = [...this.#lines].filter(([, road]) => roads.includes(road));
    for (const [line] of falling) line.fall();
    return falling.length;
  }

  /** Cuts everything, and the first reconnect as well, after its request: the reply is lost. */
  cutBoth(): void {
    this.#isNextControlDoomed = true;
    this.cut('control', 'media');
  }

  /** Cuts everything, and lets nothing connect for a while. */
  drop(forMs: number): number {
    this.#downUntil = performance.now() + forMs;
    return this.cut('control', 'media');
  }
}

/** The control line is open only while something is asked, so that is the moment to lose it. */
function afterItsRequest(events: SocketEvents, fall: () => void): SocketEvents {
  return {
    received: (data) => events.received(data),
    closed: (code) => events.closed(code),
    opened: () => {
      events.opened();
      fall();
    },
  };
}

/** One WebSocket. When it falls its owner hears 1006 at once, and nothing of what was on the way. */
class Line implements Socket {
  #wire: WebSocket | undefined;
  #isOver = false;

  constructor(
    private readonly events: SocketEvents,
    private readonly ended: () => void,
  ) {}

  connect(url: string, protocols: readonly string[]): void {
    const wire = new WebSocket(url, [...protocols]);
    this.#wire = wire;
    wire.binaryType = 'arraybuffer';
    wire.onopen = () => this.#isOver || this.events.opened();
    wire.onmessage = (event) => this.#isOver || this.events.received(event.data as string | ArrayBuffer);
    wire.onclose = (event) => this.#ends(event.code);
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (!this.#isOver) this.#wire?.send(data);
  }

  close(code?: number, reason?: string): void {
    if (!this.#isOver) this.#wire?.close(code, reason);
  }

  fall(): void {
    this.#ends(1006);
    this.#wire?.close();
  }

  #ends(code: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.ended();
    this.events.closed(code);
  }
}
