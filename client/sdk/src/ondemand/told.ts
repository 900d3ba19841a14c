import type { Emitter } from '../events.js';
import type { Budget, Citation } from '../protocol/wire.js';
import { whole } from './whole.js';

/** Tell the app what an answer is founded on, or that most of a budget is used up. */
export function tell(emitter: Emitter, item: Citation | Budget): void {
  const told = whole(item);
  if (told?.type === 'citation') {
    const { turn, sources, html } = told;
    emitter.emit('citation', { turn, sources, html });
  } else if (told) {
    const { scope, used_percent, resets_in_ms } = told;
    emitter.emit('budget', { scope, usedPercent: used_percent, resetsInMs: resets_in_ms });
  }
}
