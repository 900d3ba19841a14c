import { VoiceError } from '../errors.js';
import type { AudioOptions } from '../options.js';

/** The worklets' text; the build puts it here. */
declare const __CAPTURE__: string;
declare const __PLAYBACK__: string;

/** Load both worklets: your URLs, else the text inside. Rejects with `insecure_context` or `worklet_blocked`. */
export async function loadWorklets(context: AudioContext, urls: AudioOptions['workletUrls']): Promise<void> {
  if (!context.audioWorklet) throw new VoiceError('insecure_context', '', { fatal: true });
  const made = urls ? [] : [__CAPTURE__, __PLAYBACK__].map(toUrl);
  try {
    await Promise.all((urls ? [urls.capture, urls.playback] : made).map((url) => context.audioWorklet.addModule(url)));
  } catch (cause) {
    const hint = 'A strict script-src needs audio.workletUrls: same-origin copies of vivavoce/worklets/*.js.';
    throw new VoiceError('worklet_blocked', hint, { fatal: true, cause });
  } finally {
    for (const url of made) URL.revokeObjectURL(url);
  }
}

function toUrl(text: string): string {
  return URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
}
