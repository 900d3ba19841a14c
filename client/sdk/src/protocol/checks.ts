export type Unreadable = 'bad_message' | 'unknown_type' | 'bad_frame';

/** A text that is no message, or one of a newer server. */
export class RemoteProtocolError extends Error {
  readonly code: Unreadable;

  constructor(code: Unreadable) {
    super(code);
    this.code = code;
  }
}

/** The value as it may be used: defaults filled in, unknown fields left out. Throws RemoteProtocolError. */
export type Check = (value: unknown) => unknown;

function valid(value: unknown, isValid: boolean): unknown {
  if (!isValid) throw new RemoteProtocolError('bad_message');
  return value;
}

export const string: Check = (value) => valid(value, typeof value === 'string');
export const boolean: Check = (value) => valid(value, typeof value === 'boolean');
export const integer: Check = (value) => valid(value, Number.isInteger(value));
export const number: Check = (value) => valid(value, Number.isFinite(value));

export const object = (value: unknown): Record<string, unknown> => {
  valid(value, typeof value === 'object' && value !== null && !Array.isArray(value));
  return { ...(value as object) };
};

export const oneOf =
  (...values: readonly string[]): Check =>
  (value) =>
    valid(value, values.includes(value as string));

/** Not there is null. */
export const nullable =
  (check: Check): Check =>
  (value) =>
    value == null ? null : check(value);

export const list =
  (check: Check): Check =>
  (value) =>
    (valid(value, Array.isArray(value)) as unknown[]).map((element) => check(element));

/** `fallback` when the field is not there; for a plain one, its type is the check. */
export const optional =
  (check: Check, fallback: unknown): Check =>
  (value) =>
    check(value === undefined ? fallback : value);

export type Fields = Readonly<Record<string, Check>>;

export const struct =
  (fields: Fields): Check =>
  (value) => {
    const given = object(value);
    return Object.fromEntries(Object.entries(fields).map(([name, check]) => [name, check(given[name])]));
  };
