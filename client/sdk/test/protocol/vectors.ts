import { readFileSync } from 'node:fs';

/** A string, or parts repeated and joined. */
export type Notated = string | { readonly repeat: readonly (readonly [string, number])[] };

export type Case = { readonly name: string } & Readonly<Record<string, unknown>>;

export function cases(file: string): Case[] {
  const url = new URL(`../../../../protocol/vectors/${file}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')).cases;
}

export function expand(value: unknown): string {
  if (typeof value === 'string') return value;
  return (value as Exclude<Notated, string>).repeat.map(([part, times]) => part.repeat(times)).join('');
}

/** Text to receive: as it stands, or an object to be encoded. */
export function textOf(value: unknown): string {
  const isNotated = typeof value === 'object' && value !== null && 'repeat' in value;
  return typeof value === 'string' || isNotated ? expand(value) : JSON.stringify(value);
}

export function bytes(value: unknown): ArrayBuffer {
  return new Uint8Array(Buffer.from(expand(value), 'hex')).buffer;
}

export function hex(data: ArrayBuffer | Uint8Array<ArrayBuffer>): string {
  return Buffer.from(data instanceof Uint8Array ? data : new Uint8Array(data)).toString('hex');
}

/** Fails on a field that the runner does not read: one that skips unknown fields would pass a broken client. */
export function onlyKnown(entry: object, known: readonly string[]): void {
  const unknown = Object.keys(entry).filter((key) => !known.includes(key));
  if (unknown.length) throw new Error(`the runner does not know ${unknown.join(', ')}`);
}
