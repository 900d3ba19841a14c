// Made by scripts/types.mjs from protocol/schema. Do not edit.

import { type Fields, integer, list, object, oneOf, optional, string, struct } from '../protocol/checks.js';

const source = struct({ title: optional(string, ""), url: string });

/** What the core does not know the fields of. */
export const LATE: Record<string, Fields> = {
  'tool.call': { args: optional(object, {}), call_id: string, deadline_ms: integer, e: optional(integer, 0), n: optional(integer, 0), name: string },
  'tool.cancel': { call_ids: list(string), e: optional(integer, 0), n: optional(integer, 0) },
  'tool.status': { call_id: string, e: optional(integer, 0), n: optional(integer, 0), name: string, state: oneOf('cancelled', 'done', 'failed', 'running') },
  'citation': { e: optional(integer, 0), html: optional(string, ""), n: optional(integer, 0), sources: list(source), turn: integer },
  'budget': { e: optional(integer, 0), n: optional(integer, 0), resets_in_ms: optional(integer, 0), scope: string, used_percent: integer },
};
