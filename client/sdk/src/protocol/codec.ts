import { RULES } from './tables.js';
import type { ControlReply, ServerMessage } from './wire.js';

export type Unreadable = 'bad_message' | 'unknown_type';

/** A text that is no message, or one of a newer server. */
export class RemoteProtocolError extends Error {
  readonly code: Unreadable | 'bad_frame';

  constructor(code: Unreadable | 'bad_frame') {
    super(code);
    this.code = code;
  }
}

type Fields = [name: string, rule: string, fallback: string | undefined][];

/** struct -> its fields. */
const STRUCTS = new Map<string, Fields>(
  RULES.trim()
    .split('\n')
    .map((line) => {
      const [struct = '', ...fields] = line.split(' ');
      return [struct, fields.map((field) => (/^(.*?):(.*?)(?:=(.*))?$/.exec(field)?.slice(1) ?? []) as Fields[number])];
    }),
);

/** The reply in `text`, defaults filled in, unknown fields left out. Throws RemoteProtocolError. */
export function decodeReply(text: string): ControlReply {
  return decode(text, 'control') as ControlReply;
}

/** The same for the media road. */
export function decodeMessage(text: string): ServerMessage {
  return decode(text, 'media') as ServerMessage;
}

function decode(text: string, road: string): unknown {
  const { type, ...fields } = parse(text);
  if (typeof type !== 'string') throw new RemoteProtocolError('bad_message');
  const struct = STRUCTS.get(`${road}/${type}`);
  if (!struct) throw new RemoteProtocolError('unknown_type');
  return { type, ...read(fields, struct) };
}

function parse(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RemoteProtocolError('bad_message');
  }
  if (!isObject(value)) throw new RemoteProtocolError('bad_message');
  return value;
}

/** The fields of a struct, each by its rule. */
function read(value: unknown, struct: Fields): Record<string, unknown> {
  if (!isObject(value)) throw new RemoteProtocolError('bad_message');
  const fields: Record<string, unknown> = {};
  for (const [name, rule, fallback] of struct) {
    if (Object.hasOwn(value, name)) fields[name] = check(value[name], rule);
    else if (fallback === undefined) throw new RemoteProtocolError('bad_message');
    else fields[name] = check(JSON.parse(fallback), rule);
  }
  return fields;
}

/** Rules: s(tring) i(nteger) n(umber) b(oolean) o(bject); `x?` or null; `x[]` list; a struct's name; a|b: one of. */
function check(value: unknown, rule: string): unknown {
  if (rule.endsWith('?')) return value === null ? null : check(value, rule.slice(0, -1));
  if (rule.endsWith('[]')) {
    if (!Array.isArray(value)) throw new RemoteProtocolError('bad_message');
    return value.map((element) => check(element, rule.slice(0, -2)));
  }
  const struct = STRUCTS.get(rule);
  if (struct) return read(value, struct);
  if (!fits(value, rule)) throw new RemoteProtocolError('bad_message');
  return value;
}

function fits(value: unknown, rule: string): boolean {
  switch (rule) {
    case 's':
      return typeof value === 'string';
    case 'i':
      return Number.isInteger(value);
    case 'n':
      return Number.isFinite(value);
    case 'b':
      return typeof value === 'boolean';
    case 'o':
      return isObject(value);
    default:
      return rule.split('|').includes(value as string);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
