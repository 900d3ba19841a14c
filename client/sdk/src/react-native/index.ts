import { setAdvice } from '../index.js';
import { adviceOnPhone } from './advice.js';

setAdvice(adviceOnPhone);

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
  useLevel,
  useMessages,
  useMetrics,
  useMic,
  useSpeaker,
  useTool,
  useVoice,
  useVoiceClient,
  useVoiceEvent,
  useVoiceState,
  type VoiceCallbacks,
  VoiceProvider,
  type VoiceProviderProps,
} from '../react/index.js';
export { type AppStates, NativeEngine, type NativeEngineOptions } from './engine.js';
export {
  type LevelSink,
  type PressProps,
  type PushToTalkOptions,
  type UsePushToTalk,
  useLevelInto,
  usePushToTalk,
} from './hooks.js';
export type {
  NativeDevice,
  NativeFailure,
  NativeMicOptions,
  NativeRoutes,
  NativeVoice,
  NativeVoiceEvents,
} from './module.js';
export { phone } from './options.js';
export { nativeSockets } from './transport.js';
