// Writes wire.ts, tables.ts and schema.ts of src/protocol, and late.ts of src/ondemand, from protocol/schema. `--check`: only says whether they are up to date.
import { readFileSync, writeFileSync } from 'node:fs';

const SCHEMA = new URL('../../../protocol/schema/', import.meta.url);
const TARGET = new URL('../src/protocol/', import.meta.url);
const MADE = '// Made by scripts/types.mjs from protocol/schema. Do not edit.\n';
const CONSTANTS = [
  ...['CONTROL_MESSAGE_BYTES', 'DOWNLINK_HZ', 'IMAGE_BYTES', 'IMAGE_CHARS', 'IMAGE_MESSAGES', 'KEPT_AUDIO_MS', 'KEPT_MESSAGES', 'JWT_ENTRY_BYTES', 'SAMPLE_BYTES', 'START_TRIES', 'SUBPROTOCOL'],
  ...['TEXT_CHARS', 'TEXT_CHARS_BURST', 'TEXT_CHARS_PER_S', 'TOOL_RESULT_BYTES', 'UPLINK_HZ', 'VERSIONS'],
];

/** Of `limits.json` in seconds, here in ms. */
const TIMES = [
  ...['ADPCM_MAX_S', 'ADPCM_S', 'BACKOFF_BASE_S', 'BACKOFF_MAX_S', 'FATAL_CLOSE_S', 'LATER_S', 'LIVE_TIMEOUT_S', 'MOVE_EARLY_S', 'NARROW_S'],
  ...['OPEN_TIMEOUT_S', 'PING_AFTER_S', 'PROBE_EVERY_S', 'REPLY_TIMEOUT_S', 'RESUME_TIMEOUT_S', 'SILENCE_S', 'START_PATIENCE_S'],
  ...['STEADY_S', 'TICKET_S', 'UPLINK_KEPT_S', 'UPLINK_WINDOW_S'],
];

const read = (name) => JSON.parse(readFileSync(new URL(name, SCHEMA), 'utf8'));
const structs = read('v1.json').$defs;
const errors = read('errors.json');
const limits = read('limits.json');
const nameOf = (schema) => schema.$ref?.split('/').at(-1);
const members = (union) => structs[union].anyOf.map(nameOf);
const isUnion = (name) => 'discriminator' in structs[name];

/** Names of all structs that these lead to: what a client reads has every field, what it writes may lack some. */
function reachable(names) {
  const found = new Set();
  const visit = (name) => {
    if (found.has(name)) return;
    found.add(name);
    for (const field of Object.values(structs[name].properties)) {
      const held = nameOf(field) ?? (field.items && nameOf(field.items));
      if (held) visit(held);
    }
  };
  names.forEach(visit);
  return [...found];
}
const media = members('ServerMessage');
/** What few calls get is checked by the code that shows it. */
const LATE = ['ToolCall', 'ToolCancel', 'ToolStatus', 'Citation', 'Budget'];
const inbound = new Set(reachable([...members('ControlReply'), ...media]));
const isNested = (name) => !structs[name].properties.type;
const core = reachable([...members('ControlReply'), ...media.filter((name) => !LATE.includes(name))]).filter(isNested);
const late = reachable(LATE).filter(isNested);

function typeOf(schema) {
  if (schema.$ref) return nameOf(schema);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.examples) return `${schema.examples.map((value) => JSON.stringify(value)).join(' | ')} | (string & {})`;
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
    const isThere = inbound.has(name) || required.includes(field);
    return `  readonly ${field}${isThere ? '' : '?'}: ${typeOf(schema)}${isThere ? '' : ' | undefined'};`;
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

/** The check of a field, in the words of checks.ts. */
function checkOf(schema) {
  if (schema.$ref) return constantOf(nameOf(schema));
  if (schema.enum) return `oneOf(${schema.enum.map((value) => `'${value}'`).join(', ')})`;
  if (schema.anyOf) return `nullable(${checkOf(schema.anyOf[0])})`;
  if (schema.type === 'array') return `list(${checkOf(schema.items)})`;
  return schema.type;
}

function constantOf(name) {
  return name[0].toLowerCase() + name.slice(1);
}

/** `field: check`, or with what it is when it is not there. */
function fieldOf(name, [field, schema]) {
  if (structs[name].required.includes(field) || schema.anyOf) return `${field}: ${checkOf(schema)}`;
  const isObject = schema.$ref || schema.type === 'object';
  return `${field}: optional(${checkOf(schema)}, ${isObject ? '{}' : JSON.stringify(schema.default)})`;
}

function fieldsOf(name) {
  const fields = Object.entries(structs[name].properties).filter(([field]) => field !== 'type');
  return fields.map((field) => fieldOf(name, field));
}

/** Structs inside of messages: those that others hold come first. */
function inOrder(names) {
  const held = (name) => Object.values(structs[name].properties).map((field) => nameOf(field) ?? nameOf(field.items ?? {}));
  const found = new Set();
  const visit = (name) => {
    held(name).filter(Boolean).forEach(visit);
    found.add(name);
  };
  names.forEach(visit);
  return [...found];
}

/** Fields of messages by their type. */
function messageTable(name, doc, union, common = []) {
  const shown = union.map((title) => {
    if (LATE.includes(title) && common.length) return `  '${structs[title].properties.type.enum[0]}': null,`;
    const fields = fieldsOf(title).filter((field) => !common.includes(field));
    return `  '${structs[title].properties.type.enum[0]}': { ${fields.join(', ')} },`;
  });
  return `/** ${doc} */\nexport const ${name}: Record<string, Fields${common.length ? ' | null' : ''}> = {\n${shown.join('\n')}\n};`;
}

function schema() {
  const common = fieldsOf(media[0]).filter((field) => media.every((name) => fieldsOf(name).includes(field)));
  const inner = inOrder(core).map((name) => `const ${constantOf(name)} = struct({ ${fieldsOf(name).join(', ')} });`);
  return `${MADE}
import { boolean, type Fields, integer, list, nullable, number, object, oneOf, optional, string, struct } from './checks.js';

${inner.join('\n')}

/** Of every message of the media road. */
export const NUMBERED: Fields = { ${common.join(', ')} };

${messageTable('REPLIES', 'Replies of the control road.', members('ControlReply'))}

${messageTable('MESSAGES', 'What the media road brings, besides that. Null: src/ondemand/late.ts has its fields.', media, common)}
`;
}

function lateFields() {
  const inner = inOrder(late).map((name) => `const ${constantOf(name)} = struct({ ${fieldsOf(name).join(', ')} });`);
  const fields = LATE.map((title) => `  '${structs[title].properties.type.enum[0]}': { ${fieldsOf(title).join(', ')} },`);
  return `${MADE}
import { type Fields, integer, list, object, oneOf, optional, string, struct } from '../protocol/checks.js';

${inner.join('\n')}

/** What the core does not know the fields of. */
export const LATE: Record<string, Fields> = {
${fields.join('\n')}
};
`;
}

function tables() {
  const isResumable = ([, { retry }]) => retry === 'resume' || retry === 'refresh';
  const over = Object.entries(errors).filter(([, { close, retry }]) => close && retry === 'never');
  const codes = Object.fromEntries(over.map(([code, { close }]) => [close, code]));
  const row = ([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},\n`;
  const show = (table) => `{\n${Object.entries(table).map(row).join('')}}`;
  return `${MADE}
export type ErrorCode = ${Object.keys(errors)
    .map((code) => `\n  | '${code}'`)
    .join('')};

/** Errors after which a resume brings the session back; all others that are retryable are about a new try. */
export const RESUMABLE_CODES: readonly string[] = [${Object.entries(errors)
    .filter(isResumable)
    .map(([code]) => `\n  '${code}',`)
    .join('')}
];

/** Close code of the media road -> what it says of the session when its error was lost: it is over. */
export const FINAL_CLOSE_CODES: Record<number, ErrorCode> = ${show(codes)};

${CONSTANTS.map((name) => `export const ${name} = ${JSON.stringify(limits[name])};`).join('\n')}
${TIMES.map((name) => `export const ${name.slice(0, -1)}MS = ${limits[name] * 1000};`).join('\n')}
`;
}

let isStale = false;
for (const [name, text] of [
  ['wire.ts', wire()],
  ['tables.ts', tables()],
  ['schema.ts', schema()],
  ['../ondemand/late.ts', lateFields()],
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
