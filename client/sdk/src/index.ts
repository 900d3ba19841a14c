export type {
  AudioDevice,
  AudioDevices,
  AudioEngine,
  AudioEvents,
  AudioLevels,
  MicInfo,
  MicOptions,
  Microphone,
  MicrophoneEvents,
  PlaybackReport,
  PlayedUntil,
  Player,
  SpeakerOptions,
} from './audio/engine.js';
export { VoiceClient } from './client.js';
export { type LocalCode, setAdvice, VoiceError, type VoiceErrorCode, type VoiceErrorInit } from './errors.js';
export type { CloseReason, Connected, VoiceEvents, WireFrame } from './events.js';
export type {
  AudioOptions,
  ConnectOptions,
  DeviceControls,
  ImageSource,
  MicControls,
  ReconnectPolicy,
  SessionConfig,
  SessionSource,
  SpeakerControls,
  TalkControls,
  TokenContext,
  TokenSource,
  VoiceClientOptions,
} from './options.js';
export type { ErrorCode } from './protocol/tables.js';
export type * as wire from './protocol/wire.js';
export type { Json, JsonObject } from './protocol/wire.js';
export type { Socket, SocketEvents, Transport } from './roads/transport.js';
export type {
  AgentState,
  ConnectionStatus,
  Message,
  MessageBase,
  Metrics,
  MicState,
  MicStatus,
  SpeakerState,
  Quality,
  StartingState,
  TextMessage,
  ToolMessage,
  UsageState,
  VoiceState,
} from './state.js';
export { type ToolCall, type ToolDefinition, ToolError, type ToolHandler, type Tools } from './tools.js';
