import type { AudioOptions, VoiceClientOptions } from '../options.js';
import { type Admitted, admit, type Core } from './admission.js';
import type { Manner } from './words.js';

/** The element, as far as it says what is wanted. */
interface Wishing extends Element {
  readonly options: Partial<VoiceClientOptions>;
}

export function mannerOf(element: Wishing): Omit<Manner, 'isLoading'> {
  const isTextOnly = element.hasAttribute('text-only') || element.options.audio === false;
  return { mode: element.getAttribute('mode') === 'push-to-talk' ? 'push-to-talk' : 'open', isTextOnly };
}

/** Name of the agent as a person would write it, if the element has one. */
export function nameIn(element: Element): string | undefined {
  const agent = element.getAttribute('agent') ?? '';
  const title = agent.charAt(0).toUpperCase() + agent.slice(1).replaceAll(/[-_]/g, ' ');
  return element.getAttribute('label') ?? (title || undefined);
}

/** Options of the client from attributes; `admitted` is what the token-url has said. The property `options` wins. */
export function wishesOf(element: Wishing, core: Core, admitted: Admitted): VoiceClientOptions {
  const attribute = (name: string) => element.getAttribute(name) ?? undefined;
  const tokenUrl = attribute('token-url');
  const token = async ({ signal }: { signal: AbortSignal }) => {
    const { spare } = admitted;
    admitted.spare = '';
    return spare || (await admit(tokenUrl ?? '', core, signal)).token;
  };
  return {
    session: { url: attribute('url') ?? admitted.url, token: tokenUrl ? token : (attribute('token') ?? '') },
    agent: attribute('agent'),
    app: { name: 'vivavoce-call' },
    ...element.options,
    config: { voice: attribute('voice'), language: attribute('language'), ...element.options.config },
    audio: audioOf(element),
  };
}

/** Options for the sound. `isSilent`: the call begins without a microphone. */
export function audioOf(element: Wishing, isSilent = false): AudioOptions | false {
  const { isTextOnly, mode } = mannerOf(element);
  const { audio = {} } = element.options;
  if (isTextOnly || audio === false) return false;
  const folder = element.getAttribute('worklets');
  const at = (file: string) => new URL(file, new URL(`${folder}/`, element.baseURI)).href;
  const workletUrls = folder === null ? undefined : { capture: at('capture.js'), playback: at('playback.js') };
  const mic = { ...audio.mic, mode, ...(isSilent ? { start: 'manual' as const } : {}) };
  return { workletUrls, ...audio, mic };
}
