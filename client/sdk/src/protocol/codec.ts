import { type Fields, object, RemoteProtocolError, string, struct } from './checks.js';
import { MESSAGES, NUMBERED, REPLIES } from './schema.js';
import type { ControlReply, ServerMessage } from './wire.js';

/** The reply in `text`, defaults filled in, unknown fields left out. Throws RemoteProtocolError. */
export function decodeReply(text: string): ControlReply {
  return decode(text, REPLIES) as ControlReply;
}

/** The same for the media road; what the core has no fields of is as it came. */
export function decodeMessage(text: string): ServerMessage {
  return decode(text, MESSAGES, NUMBERED) as ServerMessage;
}

function decode(text: string, types: Readonly<Record<string, Fields | null>>, common?: Fields): unknown {
  const message = object(parse(text));
  const type = string(message.type) as string;
  if (!Object.hasOwn(types, type)) throw new RemoteProtocolError('unknown_type');
  const fields = types[type];
  return { ...(fields ? {} : message), type, ...(struct({ ...fields, ...common })(message) as object) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RemoteProtocolError('bad_message');
  }
}
