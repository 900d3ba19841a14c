import { WebSocket as Sockets } from 'ws';

export interface Opened {
  readonly url: string;
  readonly protocols: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly origin: string;
}

/** Every socket that was opened. */
export const opened: Opened[] = [];

/**
 * Behaves as React Native's on Android: sends the headers it was given and an Origin made of the address, and does not
 * hear of a `close` before it is open.
 */
export class ReactNativeSocket extends Sockets {
  constructor(url: string, protocols: string[], options: { headers: Record<string, string> }) {
    const origin = originOf(url);
    opened.push({ url, protocols, headers: options.headers, origin });
    super(url, protocols, { headers: { ...options.headers, origin } });
    this.on('error', () => {});
  }

  override close(code?: number, reason?: string): void {
    if (this.readyState !== Sockets.CONNECTING) super.close(code, reason);
  }
}

/** As both phones make it: the scheme of a page, the host, and a port that is not the scheme's own. */
export function originOf(url: string): string {
  return new URL(url.replace(/^ws/, 'http')).origin;
}
