import { VoiceError } from '../errors.js';
import type { AudioOptions } from '../options.js';

/** The text of both worklets; the build puts it here. */
declare const __WORKLETS__: string;

/** Load both worklets: your URLs, else the text inside. Rejects with `insecure_context` or `worklet_blocked`. */
export async function loadWorklets(context: AudioContext, urls: AudioOptions['workletUrls']): Promise<void> {
  if (!context.audioWorklet) throw new VoiceError('insecure_context');
  const inside = urls ? '' : URL.createObjectURL(new Blob([__WORKLETS__], { type: 'text/javascript' }));
  try {
    for (const url of urls ? [urls.capture, urls.playback] : [inside]) await context.audioWorklet.addModule(url);
  } catch (cause) {
    throw new VoiceError('worklet_blocked', 'a strict script-src needs audio.workletUrls', { cause });
  } finally {
    URL.revokeObjectURL(inside);
  }
}
