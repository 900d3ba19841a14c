import { RemoteProtocolError, struct } from '../protocol/checks.js';
import type { ServerMessage } from '../protocol/wire.js';
import { LATE } from './late.js';

/** A message whose fields the core does not know, as it may be used; null when it is not valid. Others as they are. */
export function whole<T extends ServerMessage>(item: T): T | null {
  const fields = LATE[item.type];
  if (!fields) return item;
  try {
    return { type: item.type, ...(struct(fields)(item) as object) } as T;
  } catch (error) {
    if (error instanceof RemoteProtocolError) return null;
    throw error;
  }
}
