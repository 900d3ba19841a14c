import type { Transport } from '../index.js';

const CREDENTIAL = /^vivavoce\.(?:jwt|ticket)\.(.+)$/;

/** The part of React Native's WebSocket that is used here: unlike a browser's, it takes headers. */
interface NativeSocket {
  binaryType: string;
  onopen: (() => void) | null;
  onmessage: ((event: { data?: unknown }) => void) | null;
  onclose: ((event: { code?: number }) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}
type NativeSockets = new (
  url: string,
  protocols: string[],
  options: { headers: Record<string, string> },
) => NativeSocket;

/**
 * React Native's WebSocket, with the credential in `Authorization` and in no subprotocol.
 *
 * React Native sends an `Origin` made of the address it connects to, which no server can have on its list. A
 * credential in this header needs none, for no page can set it (PROTOCOL.md, "Handshake and credentials").
 */
export const nativeSockets: Transport = {
  open(url, protocols, events) {
    const secret = protocols.map((entry) => CREDENTIAL.exec(entry)?.[1]).find(Boolean);
    const offered = protocols.filter((entry) => !CREDENTIAL.test(entry));
    const headers: Record<string, string> = secret ? { Authorization: `Bearer ${secret}` } : {};
    const socket = new (WebSocket as unknown as NativeSockets)(url, offered, { headers });
    let isLeft = false;
    socket.binaryType = 'arraybuffer';
    // Android does not hear of a `close` before the handshake is done, and opens the socket all the same.
    socket.onopen = () => (isLeft ? socket.close(1000) : events.opened());
    socket.onmessage = ({ data }) => events.received(data as string | ArrayBuffer);
    socket.onclose = ({ code = 1006 }) => events.closed(code);
    return {
      send: (data) => socket.send(data),
      close: (code, reason) => {
        isLeft = true;
        socket.close(code, reason);
      },
    };
  },
};
