import { useCallback, useEffect, useMemo, useState } from 'react';
import type {
  AgentState,
  AudioDevices,
  CloseReason,
  Connected,
  ConnectionStatus,
  JsonObject,
  Message,
  Metrics,
  MicControls,
  MicState,
  PlayedUntil,
  SpeakerControls,
  SpeakerState,
  StartingState,
  TextMessage,
  ToolDefinition,
  ToolHandler,
  ToolMessage,
  VoiceClient,
  VoiceClientOptions,
  VoiceError,
  VoiceState,
} from '../index.js';
import { useClientOrOwn, useVoiceClient } from './context.js';
import { isSameList, useEventOf, useLatest, useSelected, useVoiceState } from './state.js';

type Calls = Pick<VoiceClient, 'prepare' | 'connect' | 'disconnect' | 'sendText' | 'interrupt'>;

/** The client's methods, bound: good as event handlers, the same at every render. */
function useCalls(client: VoiceClient): Calls {
  return useMemo(
    () => ({
      prepare: () => client.prepare(),
      connect: (options) => client.connect(isEvent(options) ? {} : options),
      disconnect: (reason) => client.disconnect(typeof reason === 'string' ? reason : undefined),
      sendText: (text, options) => client.sendText(text, options),
      interrupt: () => client.interrupt(),
    }),
    [client],
  );
}

/** `onClick={connect}` passes the click. */
function isEvent(options: unknown): boolean {
  return typeof options === 'object' && options !== null && 'nativeEvent' in options;
}

export interface UseConnection extends Pick<Calls, 'prepare' | 'connect' | 'disconnect'> {
  readonly status: ConnectionStatus;
  readonly error: VoiceError | undefined;
  readonly starting: StartingState | undefined;
  readonly reconnect: VoiceState['reconnect'];
  readonly endsAt: number | undefined;
}

export function useConnection(): UseConnection {
  const { prepare, connect, disconnect } = useCalls(useVoiceClient());
  const status = useVoiceState((state) => state.status);
  const error = useVoiceState((state) => state.error);
  const starting = useVoiceState((state) => state.starting);
  const reconnect = useVoiceState((state) => state.reconnect);
  const endsAt = useVoiceState((state) => state.endsAt);
  return { status, error, starting, reconnect, endsAt, prepare, connect, disconnect };
}

export function useAgentState(): AgentState {
  return useVoiceState((state) => state.agent);
}

export interface UseMessagesOptions {
  readonly roles?: readonly TextMessage['role'][];
  /** Default true. */
  readonly tools?: boolean;
}

/** The conversation so far; the same list until one of its messages changes. */
export function useMessages(options: UseMessagesOptions & { readonly tools: false }): readonly TextMessage[];
export function useMessages(options?: UseMessagesOptions): readonly Message[];
export function useMessages(options: UseMessagesOptions = {}): readonly Message[] {
  const { roles, tools = true } = options;
  const isWanted = (message: Message) => (message.kind === 'tool' ? tools : !roles || roles.includes(message.role));
  return useVoiceState((state) => (tools && !roles ? state.messages : state.messages.filter(isWanted)), isSameList);
}

export interface UseMic extends MicState, Pick<MicControls, 'enable' | 'disable' | 'setMuted' | 'setDevice'> {
  readonly toggleMuted: () => void;
}

export function useMic(): UseMic {
  return useMicOf(useVoiceClient());
}

function useMicOf(client: VoiceClient): UseMic {
  const state = useSelected(client, (all) => all.mic);
  const controls = useMemo(
    () => ({
      enable: () => client.mic.enable(),
      disable: () => client.mic.disable(),
      setMuted: (muted: boolean) => client.mic.setMuted(muted),
      setDevice: (deviceId: string | null) => client.mic.setDevice(deviceId),
      toggleMuted: () => client.mic.setMuted(!client.getSnapshot().mic.muted),
    }),
    [client],
  );
  return useMemo(() => ({ ...state, ...controls }), [state, controls]);
}

export type UseSpeaker = SpeakerState & Pick<SpeakerControls, 'unlock' | 'setMuted' | 'setVolume' | 'setDevice'>;

export function useSpeaker(): UseSpeaker {
  return useSpeakerOf(useVoiceClient());
}

function useSpeakerOf(client: VoiceClient): UseSpeaker {
  const state = useSelected(client, (all) => all.speaker);
  const controls = useMemo(
    () => ({
      unlock: () => client.speaker.unlock(),
      setMuted: (muted: boolean) => client.speaker.setMuted(muted),
      setVolume: (volume: number) => client.speaker.setVolume(volume),
      setDevice: (deviceId: string | null) => client.speaker.setDevice(deviceId),
    }),
    [client],
  );
  return useMemo(() => ({ ...state, ...controls }), [state, controls]);
}

export interface UseDevices extends AudioDevices {
  readonly refresh: (options?: { requestPermission?: boolean }) => Promise<void>;
}

const NO_DEVICES: AudioDevices = { inputs: [], outputs: [], labelled: false };

/** Microphones and speakers; asks for nothing unless `refresh({ requestPermission: true })` is called. */
export function useDevices(): UseDevices {
  const client = useVoiceClient();
  const [devices, setDevices] = useState(NO_DEVICES);
  const refresh = useCallback(
    async (options?: { requestPermission?: boolean }) => setDevices(await client.devices.list(options)),
    [client],
  );
  useEffect(() => {
    refresh().catch(() => {});
  }, [refresh]);
  useEventOf(client, 'devicechange', setDevices);
  return { ...devices, refresh };
}

export function useMetrics(): Metrics {
  return useVoiceState((state) => state.metrics);
}

/** Registers a tool while mounted. The handler may be an inline function; name and schema are the identity. */
export function useTool<A = JsonObject, R = unknown>(
  name: string,
  tool: ToolHandler<A, R> | ToolDefinition<A, R>,
): { readonly running: readonly ToolMessage[] } {
  const client = useVoiceClient();
  const definition: ToolDefinition<A, R> = typeof tool === 'function' ? { handler: tool } : tool;
  const handler = useLatest(definition.handler);
  const validate = useLatest((args: unknown) => (definition.validate ? definition.validate(args) : (args as A)));
  const { description, parameters, timeoutMs, scheduling } = definition;
  const identity = JSON.stringify({ description, parameters, timeoutMs, scheduling });
  useEffect(
    () => client.registerTool<A, R>(name, { ...JSON.parse(identity), handler, validate }),
    [client, name, identity, handler, validate],
  );
  const isRunning = (message: Message): message is ToolMessage =>
    message.kind === 'tool' && message.name === name && message.status === 'running';
  return { running: useVoiceState((state) => state.messages.filter(isRunning), isSameList) };
}

export interface VoiceCallbacks {
  readonly onConnect?: (info: Connected) => void;
  readonly onMessage?: (message: Message) => void;
  readonly onInterrupted?: (played: PlayedUntil) => void;
  readonly onError?: (error: VoiceError) => void;
  readonly onClose?: (reason: CloseReason) => void;
}

export interface UseVoice extends Calls {
  readonly status: ConnectionStatus;
  readonly agent: AgentState;
  readonly messages: readonly Message[];
  readonly error: VoiceError | undefined;
  readonly isConnected: boolean;
  readonly isConnecting: boolean;
  readonly isReconnecting: boolean;
  readonly mic: UseMic;
  readonly speaker: UseSpeaker;
  readonly client: VoiceClient;
}

/** Everything a first app needs. Inside a provider it uses that client; outside, pass options. */
export function useVoice(options?: VoiceClientOptions & VoiceCallbacks): UseVoice {
  const client = useClientOrOwn(options);
  const status = useSelected(client, (state) => state.status);
  const agent = useSelected(client, (state) => state.agent);
  const messages = useSelected(client, (state) => state.messages);
  const error = useSelected(client, (state) => state.error);
  useEventOf(client, 'connected', (info) => options?.onConnect?.(info));
  useEventOf(client, 'message', (message) => options?.onMessage?.(message));
  useEventOf(client, 'interrupted', (played) => options?.onInterrupted?.(played));
  useEventOf(client, 'error', (problem) => options?.onError?.(problem));
  useEventOf(client, 'close', (reason) => options?.onClose?.(reason));
  return {
    ...useCalls(client),
    status,
    agent,
    messages,
    error,
    isConnected: status === 'connected',
    isConnecting: status === 'connecting',
    isReconnecting: status === 'reconnecting',
    mic: useMicOf(client),
    speaker: useSpeakerOf(client),
    client,
  };
}
