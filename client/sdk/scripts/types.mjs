// Writes src/protocol/wire.ts and tables.ts from protocol/schema. `--check`: only says whether they are up to date.
import { readFileSync, writeFileSync } from 'node:fs';

const SCHEMA = new URL('../../../protocol/schema/', import.meta.url);
const TARGET = new URL('../src/protocol/', import.meta.url);
const MADE = '// Made by scripts/types.mjs from protocol/schema. Do not edit.\n';
const CONSTANTS = [
  ...['DOWNLINK_HZ', 'IMAGE_BYTES', 'JWT_ENTRY_BYTES', 'RESEND_WINDOW_S', 'SAMPLE_BYTES', 'SUBPROTOCOL'],
  ...['TEXT_CHARS', 'TOOL_RESULT_BYTES', 'UPLINK_HZ', 'VERSIONS'],
];

const read = (name) => JSON.parse(readFileSync(new URL(name, SCHEMA), 'utf8'));
const structs = read('v1.json').$defs;
const errors = read('errors.json');
const limits = read('limits.json');
const nameOf = (schema) => schema.$ref?.split('/').at(-1);
const members = (union) => structs[union].anyOf.map(nameOf);
const isUnion = (name) => 'discriminator' in structs[name];

/** Names of all structs that `union` leads to: what a client reads has every field, what it writes may lack some. */
function reachable(union) {
  const found = new Set();
  const visit = (name) => {
    if (found.has(name)) return;
    found.add(name);
    for (const field of Object.values(structs[name].properties)) if (field.$ref) visit(nameOf(field));
  };
  members(union).forEach(visit);
  return found;
}
const inbound = new Set([...reachable('ControlReply'), ...reachable('ServerMessage')]);

function typeOf(schema) {
  if (schema.$ref) return nameOf(schema);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(' | ');
  if (schema.prefixItems) return `[${schema.prefixItems.map(typeOf).join(', ')}]`;
  if (schema.type === 'array') return `readonly ${typeOf(schema.items)}[]`;
  if (schema.type === 'integer') return 'number';
  if (schema.type === 'object')
    return schema.additionalProperties ? `Record<string, ${typeOf(schema.additionalProperties)}>` : 'JsonObject';
  return schema.type ?? 'Json';
}

function declaration(name) {
  const { description, properties, required } = structs[name];
  const fields = Object.entries(properties).sort(([a], [b]) => (b === 'type') - (a === 'type'));
  const lines = fields.map(([field, schema]) => {
    const mark = inbound.has(name) || required.includes(field) ? '' : '?';
    return `  readonly ${field}${mark}: ${typeOf(schema)};`;
  });
  const doc = description ? `/** ${description} */\n` : '';
  return `${doc}export interface ${name} {\n${lines.join('\n')}\n}`;
}

function wire() {
  const names = Object.keys(structs);
  const unions = names.filter(isUnion).map((name) => `export type ${name} = ${members(name).join(' | ')};`);
  return `${MADE}
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

${names
  .filter((name) => !isUnion(name))
  .map(declaration)
  .join('\n\n')}

${unions.join('\n')}
`;
}

/** How a field is checked: see codec.ts. */
function ruleOf(schema) {
  if (schema.$ref) return nameOf(schema);
  if (schema.enum) return schema.enum.join('|');
  if (schema.anyOf) return `${ruleOf(schema.anyOf[0])}?`;
  if (schema.type === 'array') return `${ruleOf(schema.items)}[]`;
  return { string: 's', integer: 'i', number: 'n', boolean: 'b', object: 'o' }[schema.type];
}

function rulesOf(name) {
  const { properties, required } = structs[name];
  const rules = Object.entries(properties).filter(([field]) => field !== 'type');
  return Object.fromEntries(
    rules.map(([field, schema]) => {
      const isNested = schema.$ref || (schema.type === 'object' && !required.includes(field));
      const fallback = isNested ? {} : schema.default;
      return [field, required.includes(field) ? ruleOf(schema) : [ruleOf(schema), fallback]];
    }),
  );
}

function tables() {
  const types = (union) =>
    Object.fromEntries(members(union).map((name) => [structs[name].properties.type.enum[0], name]));
  const rules = Object.fromEntries([...inbound].map((name) => [name, rulesOf(name)]));
  const verdicts = Object.fromEntries(
    Object.entries(errors).map(([code, { close, retry }]) => [code, close ? [retry, close] : [retry]]),
  );
  const row = ([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},\n`;
  const show = (table) => `{\n${Object.entries(table).map(row).join('')}}`;
  return `${MADE}
export type ErrorCode = ${Object.keys(errors)
    .map((code) => `\n  | '${code}'`)
    .join('')};

export type Retry = 'never' | 'later' | 'resume' | 'refresh';

/** code -> whether to try again, and the close code of the media road. */
export const ERRORS: Record<ErrorCode, readonly [retry: Retry, close?: number]> = ${show(verdicts)};

/** field -> rule, or [rule, default]. */
export const RULES: Record<string, Record<string, string | readonly [string, unknown]>> = ${show(rules)};

export const CONTROL_REPLY: Record<string, string> = ${show(types('ControlReply'))};

export const SERVER_MESSAGE: Record<string, string> = ${show(types('ServerMessage'))};

${CONSTANTS.map((name) => `export const ${name} = ${JSON.stringify(limits[name])};`).join('\n')}
`;
}

let isStale = false;
for (const [name, text] of [
  ['wire.ts', wire()],
  ['tables.ts', tables()],
]) {
  const file = new URL(name, TARGET);
  if (process.argv.includes('--check')) {
    if (readFileSync(file, 'utf8') !== text) {
      isStale = true;
      console.error(`src/protocol/${name} does not fit protocol/schema: run npm run types`);
    }
  } else writeFileSync(file, text);
}
process.exit(isStale ? 1 : 0);
