import { VoiceError } from '../errors.js';
import type { Emitter, WireFrame } from '../events.js';
import type * as wire from '../protocol/wire.js';
import type { Transport } from './transport.js';

type Message = wire.ControlRequest | wire.ControlReply | wire.ClientMessage | wire.ServerMessage;

/** What both roads share: how sockets are made, and who looks on. */
export class Link {
  readonly transport: Transport;
  readonly #emitter: Emitter;

  constructor(transport: Transport, emitter: Emitter) {
    this.transport = transport;
    this.#emitter = emitter;
  }

  /** Show what passes to whoever listens; nothing is made for nobody. */
  show(direction: 'in' | 'out', road: 'control' | 'media', frame: Message | { readonly binary: number }): void {
    if (this.#emitter.has('wire'))
      this.#emitter.emit('wire', direction, road, ('type' in frame ? blank(frame) : frame) as WireFrame);
  }
}

/** Without tickets and keys. */
function blank(message: Message): object {
  const copy: Record<string, unknown> = { ...message };
  if ('resume_key' in copy) copy.resume_key = '…';
  if (message.type === 'ready') copy.media = { ...message.media, ticket: '…' };
  if (message.type === 'image') copy.data = `${message.data.length} characters`;
  return copy;
}

/** What the server said, as an error of this client. */
export function received(error: wire.ControlError | wire.Error): VoiceError {
  return new VoiceError(error.code, error.message, {
    retryable: error.retryable,
    fatal: error.fatal && !error.retryable,
    retryAfterMs: error.retry_after_ms,
    ref: error.ref,
  });
}
