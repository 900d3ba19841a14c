import { VoiceError } from '../errors.js';
import type { AudioOptions } from '../options.js';

/** The text of both worklets; the build puts it here. */
declare const __WORKLETS__: string;

/** Load both worklets: your URLs, else the text inside. Rejects with `insecure_context` or `worklet_blocked`. */
export async function loadWorklets(context: AudioContext, urls: AudioOptions['workletUrls']): Promise<void> {
  const inside = urls ? '' : URL.createObjectURL(new Blob([__WORKLETS__], { type: 'text/javascript' }));
  try {
    for (const url of urls ? [urls.capture, urls.playback] : [inside]) await context.audioWorklet.addModule(url);
  } catch (cause) {
    throw new VoiceError(context.audioWorklet ? 'worklet_blocked' : 'insecure_context', '', { cause });
  } finally {
    URL.revokeObjectURL(inside);
  }
}
