// React Native's native WebSocketModule, over `ws`, with the habits of Android's (WebSocketModule.kt of 0.86).
import { WebSocket } from 'ws';

interface Opened {
  readonly socket: WebSocket;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly protocols: readonly string[];
  /** Messages sent, JSON only. */
  readonly said: { readonly type: string; readonly state?: string }[];
}

/** Every socket of a test, oldest first. */
export const opened: Opened[] = [];

/** End the network of every socket. */
export function cut(): void {
  for (const { socket } of opened) socket.terminate();
}

const byId = new Map<number, Opened>();

// Once, and here: what comes late, when a test is over, must load nothing.
const { default: emitter } = require('react-native/Libraries/EventEmitter/RCTDeviceEventEmitter');

function emit(event: string, data: object): void {
  emitter.emit(event, data);
}

/** An origin of the address, with the scheme of a page. */
function originOf(url: string): string {
  return new URL(url.replace(/^ws/, 'http')).origin;
}

export const webSockets = {
  connect(url: string, protocols: string[] | null, options: { headers: Record<string, string> }, id: number): void {
    const headers = { ...options.headers, origin: options.headers.origin ?? originOf(url) };
    const socket = new WebSocket(url, protocols ?? [], { headers });
    const entry: Opened = { socket, url, headers, protocols: protocols ?? [], said: [] };
    opened.push(entry);
    socket.on('open', () => {
      byId.set(id, entry); // not known before: a `close` until then does nothing
      emit('websocketOpen', { id, protocol: socket.protocol });
    });
    socket.on('message', (data: Buffer, isBinary) =>
      emit('websocketMessage', {
        id,
        type: isBinary ? 'binary' : 'text',
        data: data.toString(isBinary ? 'base64' : 'utf8'),
      }),
    );
    let isFailed = false;
    socket.on('error', ({ message }) => {
      isFailed = true;
      emit('websocketFailed', { id, message });
    });
    socket.on('close', (code) => {
      if (isFailed) return;
      if (code === 1006) emit('websocketFailed', { id, message: 'Software caused connection abort' });
      else emit('websocketClosed', { id, code, reason: '' });
    });
  },

  send(message: string, id: number): void {
    byId.get(id)?.said.push(JSON.parse(message));
    byId.get(id)?.socket.send(message);
  },

  sendBinary(base64: string, id: number): void {
    byId.get(id)?.socket.send(Buffer.from(base64, 'base64'));
  },

  close(code: number, reason: string, id: number): void {
    byId.get(id)?.socket.close(code, reason);
    byId.delete(id);
  },

  ping(): void {},
  addListener(): void {},
  removeListeners(): void {},
};
