import { type Check, object, RemoteProtocolError, string } from './checks.js';
import { MESSAGES, REPLIES } from './schema.js';
import type { ControlReply, ServerMessage } from './wire.js';

/** The reply in `text`, defaults filled in, unknown fields left out. Throws RemoteProtocolError. */
export function decodeReply(text: string): ControlReply {
  return decode(text, REPLIES) as ControlReply;
}

/** The same for the media road. */
export function decodeMessage(text: string): ServerMessage {
  return decode(text, MESSAGES) as ServerMessage;
}

function decode(text: string, types: Readonly<Record<string, Check>>): unknown {
  const message = object(parse(text));
  const type = string(message.type) as string;
  const check = Object.hasOwn(types, type) && types[type];
  if (!check) throw new RemoteProtocolError('unknown_type');
  return { type, ...(check(message) as object) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RemoteProtocolError('bad_message');
  }
}
