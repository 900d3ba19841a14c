// Hooks and context run in the browser: a server component that imports them says so to its bundler.
'use client';

import '../advice/index.js';

export { useVoiceClient, VoiceProvider, type VoiceProviderProps } from './context.js';
export {
  type UseConnection,
  type UseDevices,
  type UseMessagesOptions,
  type UseMic,
  type UseSpeaker,
  type UseVoice,
  useAgentState,
  useConnection,
  useDevices,
  useMessages,
  useMetrics,
  useMic,
  useSpeaker,
  useTool,
  useVoice,
  type VoiceCallbacks,
} from './hooks.js';
export { useLevel, useLevelRef } from './level.js';
export { type PushToTalkOptions, type UsePushToTalk, usePushToTalk } from './push-to-talk.js';
export { useVoiceEvent, useVoiceState } from './state.js';
