import type { WireFrame } from '../events.js';
import type * as wire from '../protocol/wire.js';

export type Message = wire.ControlRequest | wire.ControlReply | wire.ClientMessage | wire.ServerMessage;

/** A frame as the `wire` event shows it: without tickets and keys. */
export function blank(frame: Message | { readonly binary: number }): WireFrame {
  const copy: Record<string, unknown> = { ...frame };
  if ('resume_key' in copy) copy.resume_key = '…';
  if ('media' in frame) copy.media = { ...frame.media, ticket: '…' };
  if ('mime' in frame) copy.data = `${frame.data.length} characters`;
  return copy as WireFrame;
}
