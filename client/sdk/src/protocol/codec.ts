import { CONTROL, MEDIA, MEDIA_COMMON, STRUCTS } from './tables.js';
import type { ControlReply, ServerMessage } from './wire.js';

export type Unreadable = 'bad_message' | 'unknown_type' | 'bad_frame';

/** A text that is no message, or one of a newer server. */
export class RemoteProtocolError extends Error {
  readonly code: Unreadable;

  constructor(code: Unreadable) {
    super(code);
    this.code = code;
  }
}

type Fields = [name: string, rule: string, fallback?: string][];

const structs = table(STRUCTS);
const replies = table(CONTROL);
const messages = table(MEDIA, MEDIA_COMMON);
const kinds: Record<string, (value: unknown) => boolean> = {
  s: (value) => typeof value === 'string',
  i: Number.isInteger,
  n: Number.isFinite,
  b: (value) => typeof value === 'boolean',
  o: isObject,
};

/** The reply in `text`, defaults filled in, unknown fields left out. Throws RemoteProtocolError. */
export function decodeReply(text: string): ControlReply {
  return decode(text, replies) as ControlReply;
}

/** The same for the media road. */
export function decodeMessage(text: string): ServerMessage {
  return decode(text, messages) as ServerMessage;
}

/** Name -> fields, of lines `name field:rule field:rule=default`. */
function table(lines: string, common = ''): Map<unknown, Fields> {
  return new Map(
    lines.split('\n').map((line) => {
      const [name, ...fields] = (line + common).split(' ');
      return [name, fields.map((field) => field.split(/[:=]/) as Fields[number])];
    }),
  );
}

function decode(text: string, types: Map<unknown, Fields>): unknown {
  const message = parse(text);
  insist(isObject(message));
  const { type } = message;
  insist(typeof type === 'string');
  const fields = types.get(type);
  if (!fields) throw new RemoteProtocolError('unknown_type');
  return { type, ...read(message, fields) };
}

/** No text is no JSON. */
function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text as string);
  } catch {
    throw new RemoteProtocolError('bad_message');
  }
}

/** The fields of a struct, each by its rule. */
function read(value: unknown, fields: Fields): Record<string, unknown> {
  insist(isObject(value));
  return Object.fromEntries(
    fields.map(([name, rule, fallback]) => [
      name,
      check(Object.hasOwn(value, name) ? value[name] : parse(fallback), rule),
    ]),
  );
}

/** Rules: s(tring) i(nteger) n(umber) b(oolean) o(bject); `x?` or null; `x[]` list; a number: that struct; a|b: one of. */
function check(value: unknown, rule: string): unknown {
  if (rule.endsWith('?')) return value === null ? null : check(value, rule.slice(0, -1));
  if (rule.endsWith('[]')) {
    insist(Array.isArray(value));
    return value.map((element) => check(element, rule.slice(0, -2)));
  }
  const fields = structs.get(rule);
  if (fields) return read(value, fields);
  insist(kinds[rule] ? kinds[rule](value) : rule.split('|').includes(value as string));
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function insist(isValid: boolean): asserts isValid {
  if (!isValid) throw new RemoteProtocolError('bad_message');
}
