// Made by scripts/types.mjs from protocol/schema. Do not edit.

import { type Fields, integer, oneOf, optional, string } from '../protocol/checks.js';

/** What the core does not know the fields of. */
export const LATE: Record<string, Fields> = {
  'tool.status': { call_id: string, e: optional(integer, 0), n: optional(integer, 0), name: string, state: oneOf('cancelled', 'done', 'failed', 'running') },
};
