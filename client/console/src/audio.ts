import type { AudioOptions } from 'vivavoce';
import capture from 'vivavoce/worklets/capture.js?url';
import playback from 'vivavoce/worklets/playback.js?url';

export type TalkMode = 'open' | 'hold' | 'toggle';

/** Audio options for a mode of talking. The worklets are files of our own origin, as the page's policy wants. */
export function audioFor(mode: TalkMode): AudioOptions {
  return { workletUrls: { capture, playback }, mic: { mode: mode === 'open' ? 'open' : 'push-to-talk' } };
}
