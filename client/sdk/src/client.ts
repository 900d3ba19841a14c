/// <reference lib="esnext.disposable" preserve="true" />
import type { AudioLevels, PlayedUntil } from './audio/engine.js';
import { Call } from './call.js';
import type { CallHost } from './call-host.js';
import { badOption, VoiceError } from './errors.js';
import { type Connected, Emitter, type VoiceEvents } from './events.js';
import type { Host } from './host.js';
import { Mic } from './mic.js';
import { type Chunk, onDemand } from './ondemand.js';
import type {
  ConnectOptions,
  DeviceControls,
  ImageSource,
  MicControls,
  SpeakerControls,
  TalkControls,
  VoiceClientOptions,
} from './options.js';
import { TEXT_CHARS } from './protocol/tables.js';
import { aborted } from './roads/wait.js';
import { Sound } from './sound.js';
import { Store, type VoiceState } from './state.js';
import { Toolbox } from './toolbox.js';
import type { ToolDefinition, ToolHandler } from './tools.js';

/** Client of one call at a time: connects, talks, reconnects, emits events. */
export class VoiceClient {
  readonly mic: MicControls;
  /** Push-to-talk. */
  readonly talk: TalkControls;
  readonly speaker: SpeakerControls;
  readonly devices: DeviceControls;
  #call: Call | null = null;
  #early?: InstanceType<Chunk['EarlyRoad']>;
  #left = 0; //: times that the app has hung up
  readonly #host: Host & CallHost;

  constructor(options: VoiceClientOptions) {
    if (!options) throw badOption('session');
    const emitter = new Emitter();
    const store = new Store((state, previous) => emitter.emit('statechange', state, previous));
    const host: Host = { options, store, emitter };
    const sound = new Sound(host);
    const mic = new Mic(host, sound);
    const released = () => {
      this.#call = null;
    };
    this.#host = Object.assign(host, { sound, mic, toolbox: new Toolbox(host), released });
    store.setSpeaker({ volume: (options.audio || {}).speaker?.volume ?? 1 });
    this.mic = mic;
    this.talk = mic.talk;
    this.speaker = sound;
    this.devices = {
      list: async (wish) => (await onDemand()).listDevices(this.#host, wish?.requestPermission),
    };
  }

  /** The present state; the same object until something changes. */
  readonly getSnapshot = (): VoiceState => this.#host.store.state;

  readonly subscribe = (listener: () => void): (() => void) => this.#host.store.subscribe(listener);

  /** Returns its un-listen. */
  on<E extends keyof VoiceEvents>(
    event: E,
    handler: (...args: VoiceEvents[E]) => void,
    options?: { signal?: AbortSignal; once?: boolean },
  ): () => void {
    return this.#host.emitter.on(event, handler, options);
  }

  /** Numbers to poll, in an animation frame. */
  get levels(): AudioLevels {
    return this.#host.sound.levels;
  }

  /** Token for `connect({ resume })` after a page reload; a secret of this user. It changes at every reconnect. */
  get resumeToken(): string | undefined {
    return this.#call?.resumeToken;
  }

  /**
   * Fetch a token and open the control road, before the click: the next `connect()` saves the time of both. Asks for no
   * microphone and makes no sound; not seen in the state. Repeat it as you like. Resolves when that is done, or cannot
   * be done, of which `connect()` will tell; never rejects. `disconnect()` undoes it.
   */
  async prepare(): Promise<void> {
    const left = this.#left;
    const chunk = await onDemand().catch(() => {});
    if (chunk && !this.#call && left === this.#left) await (this.#early ??= new chunk.EarlyRoad(this.#host)).open();
  }

  /**
   * Call the agent. Call it inside a click: sound and microphone are prepared before anything is awaited. While a call
   * is open it returns that call's promise; one that is being hung up is over at once. Rejects with VoiceError.
   */
  connect({ signal, resume }: ConnectOptions = {}): Promise<Connected> {
    if (this.#call?.isEnding) this.#call.abort();
    if (this.#call) return this.#call.joined;
    if (signal?.aborted) return Promise.reject(aborted());
    const call = new Call(this.#early?.lend(this.#host) ?? { ...this.#host });
    this.#call = call;
    call.begin(resume);
    const abort = () => call.abort();
    const heed = () => signal?.removeEventListener('abort', abort);
    signal?.addEventListener('abort', abort);
    call.joined.then(heed, heed);
    return call.joined;
  }

  /** End the session. Resolves when everything is released; never rejects. */
  async disconnect(reason?: string): Promise<void> {
    this.#left += 1;
    this.#early?.close();
    await (this.#call ? this.#call.end(reason) : this.#host.mic.disable());
  }

  /** End a session of this user, such as one of `error.sessions`. Rejects with VoiceError. */
  async endSession(session: string): Promise<void> {
    const call = new Call({ ...this.#host });
    call.control.session = session;
    await call.control.end(call.signal);
  }

  /** Say something in writing; `respond: false` lets the agent wait for more. It comes back as a message. */
  async sendText(text: string, options: { respond?: boolean } = {}): Promise<void> {
    checkText(text);
    const { respond = true } = options;
    this.#live().sendText(text, respond);
  }

  /** Send text for the agent to know. Makes no turn. */
  async sendContext(text: string): Promise<void> {
    checkText(text);
    this.#live().send({ type: 'context', text });
  }

  /** Send an image for the agent to see: JPEG, PNG or WebP up to 700 KiB. */
  async sendImage(image: ImageSource): Promise<void> {
    const call = this.#live();
    const { encodeImage } = await onDemand();
    call.send(await encodeImage(image));
  }

  /** Stop the agent: stops playing at once, then the server drops the rest. Null: it was not speaking. */
  async interrupt(): Promise<PlayedUntil | null> {
    return (await this.#call?.conversation.interrupt()) ?? null;
  }

  clearMessages(): void {
    this.#host.store.set({ messages: [] });
  }

  /** Returns its un-register. Tools are declared when a session starts; later ones are known to the next. */
  registerTool<A = unknown, R = unknown>(name: string, tool: ToolHandler<A, R> | ToolDefinition<A, R>): () => void {
    return this.#host.toolbox.register(name, tool);
  }

  /** Options are read at their next use; session, agent, config and tools at the next connect. */
  update(options: Partial<VoiceClientOptions>): void {
    this.#host.options = { ...this.#host.options, ...options };
  }

  /** End everything. The client may be used again. */
  async dispose(): Promise<void> {
    await this.disconnect('disposed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  #live(): Call {
    if (!this.#call) throw new VoiceError('not_connected');
    return this.#call;
  }
}

function checkText(text: string): void {
  const length = [...text].length;
  if (!length) throw new VoiceError('bad_message', 'empty');
  if (length > TEXT_CHARS) throw new VoiceError('too_large', `more than ${TEXT_CHARS} characters`);
}
