import type { Transport } from 'vivavoce';

const CREDENTIAL = /^vivavoce\.(?:jwt|ticket)\.(.+)$/;

/** React Native's WebSocket: it takes headers, which a browser's does not. Its own types leave `binaryType` out. */
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
    const credential = protocols.map((entry) => CREDENTIAL.exec(entry)?.[1]).find(Boolean);
    const open = protocols.filter((entry) => !CREDENTIAL.test(entry));
    const headers = credential ? { Authorization: `Bearer ${credential}` } : ({} as Record<string, string>);
    const socket = new (WebSocket as unknown as NativeSockets)(url, open, { headers });
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => events.opened();
    socket.onmessage = (event) => events.received(event.data as string | ArrayBuffer);
    socket.onclose = (event) => events.closed(event.code ?? 1006);
    return {
      send: (data) => socket.send(data),
      close: (code, reason) => socket.close(code, reason),
    };
  },
};
