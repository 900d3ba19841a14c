import type { VoiceClientOptions } from '../index.js';
import { NativeEngine, type NativeEngineOptions } from './engine.js';
import type { NativeVoice } from './module.js';
import { nativeSockets } from './transport.js';

/** Transport and audio of a phone, for a provider or a client. Made once, outside of any component. */
export function phone(
  module: NativeVoice,
  options: NativeEngineOptions = {},
): Required<Pick<VoiceClientOptions, 'audio' | 'transport'>> {
  return { audio: { engine: new NativeEngine(module, options) }, transport: nativeSockets };
}
