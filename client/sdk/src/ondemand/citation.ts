import type { Emitter } from '../events.js';
import type { Citation } from '../protocol/wire.js';
import { whole } from './whole.js';

/** Tell the app what an answer is founded on. */
export function cite(emitter: Emitter, item: Citation): void {
  const citation = whole(item);
  if (!citation) return;
  const { turn, sources, html } = citation;
  emitter.emit('citation', { turn, sources, html });
}
