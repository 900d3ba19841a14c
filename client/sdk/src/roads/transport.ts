/** One open or opening socket. */
export interface Socket {
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

export interface SocketEvents {
  opened(): void;
  received(data: string | ArrayBuffer): void;
  /** Once, and last. `code` is 1006 when no connection came about. */
  closed(code: number): void;
}

/** Makes sockets. Events come after `open` has returned. */
export interface Transport {
  open(url: string, protocols: readonly string[], events: SocketEvents): Socket;
}

/** The platform's own WebSocket. */
export const webSockets: Transport = {
  open(url, protocols, events) {
    const socket = new WebSocket(url, protocols as string[]);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => events.opened();
    socket.onmessage = (event) => events.received(event.data as string | ArrayBuffer);
    socket.onclose = (event) => events.closed(event.code);
    return socket;
  },
};
