import type { WireFrame } from '../events.js';
import type * as wire from '../protocol/wire.js';

export type Message = wire.ControlRequest | wire.ControlReply | wire.ClientMessage | wire.ServerMessage;

/** Frame on a socket; of received audio only its length: by the time it is shown it belongs to the player. */
export type Shown = Message | Uint8Array | { readonly binary: number };

/** A frame as the `wire` event shows it: without tickets and keys. */
export function blank(frame: Shown): WireFrame {
  if (frame instanceof Uint8Array) return { binary: frame.length };
  const copy: Record<string, unknown> = { ...frame };
  if ('resume_key' in copy) copy.resume_key = '…';
  if ('media' in frame) copy.media = { ...frame.media, ticket: '…' };
  if ('mime' in frame) copy.data = `${frame.data.length} characters`;
  return copy as WireFrame;
}
