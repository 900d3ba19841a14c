import type { PlayedUntil } from './audio/engine.js';
import type { Connected } from './client.js';
import { Conversation } from './conversation.js';
import { toVoiceError, VoiceError } from './errors.js';
import type { CloseReason, Emitter } from './events.js';
import type { Mic } from './mic.js';
import type { VoiceClientOptions } from './options.js';
import { ClientSession, type Incoming } from './protocol/session.js';
import { VERSIONS } from './protocol/tables.js';
import type { ClientMessage, Live, Ready, Start, Starting } from './protocol/wire.js';
import { Control } from './roads/control.js';
import { Lifeline } from './roads/lifeline.js';
import { Link } from './roads/link.js';
import { Outbox } from './roads/outbox.js';
import { webSockets } from './roads/transport.js';
import { type Attempt, aborted, asFatal } from './roads/wait.js';
import type { Sound } from './sound.js';
import { INITIAL, type Store } from './state.js';
import type { Toolbox } from './toolbox.js';

const CONNECT_TIMEOUT_MS = 150_000; //: a cold start of the server takes up to a minute
const END_PATIENCE_MS = 2000; //: for the server's word that the session has ended

/** What a call uses of its client. */
export interface Host {
  readonly options: VoiceClientOptions;
  readonly store: Store;
  readonly emitter: Emitter;
  readonly sound: Sound;
  readonly mic: Mic;
  readonly toolbox: Toolbox;
  /** The call is over: another may begin, also from within what its end sets off. */
  released(): void;
}

/** One session, from the click to its end. */
export class Call {
  /** Resolves at the first `live`, with audio ready. */
  readonly joined: Promise<Connected>;
  /** Resolves when everything is given back. */
  readonly over: Promise<void>;
  #resolveJoined: (info: Connected) => void = () => {};
  #rejectJoined: (error: VoiceError) => void = () => {};
  #resolveOver: () => void = () => {};
  #isOver = false;
  #isEnding = false;
  #isJoined = false;
  #lastBytes = { up: 0, down: 0 };
  #brokeAt = 0; //: when the present break began, 0 for none
  #audio: Promise<unknown> = Promise.resolve();
  #patience: ReturnType<typeof setTimeout> | undefined;
  readonly #stop = new AbortController();
  readonly #host: Host;
  readonly #session = new ClientSession();
  readonly #control: Control;
  readonly #outbox: Outbox;
  readonly #lifeline: Lifeline;
  readonly #conversation: Conversation;

  constructor(host: Host) {
    this.#host = host;
    this.joined = new Promise((resolve, reject) => {
      this.#resolveJoined = resolve;
      this.#rejectJoined = reject;
    });
    this.joined.catch(() => {}); // whoever does not wait for it reads the snapshot or the event
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    const link = new Link(host.options.transport ?? webSockets, host.emitter);
    this.#control = new Control(link, host.options.session);
    this.#outbox = new Outbox(link);
    this.#lifeline = new Lifeline({
      link,
      control: this.#control,
      session: this.#session,
      outbox: this.#outbox,
      policy: host.options.reconnect ?? {},
      signal: this.#stop.signal,
      received: (item) => this.#receive(item),
      ticked: (bytes) => this.#tick(bytes),
      reconnecting: (attempt) => this.#reconnecting(attempt),
    });
    this.#conversation = new Conversation(host, this.#session, this.#outbox, () => this.#lifeline.move());
  }

  get resumeToken(): string | undefined {
    const { session, resumeKey } = this.#control;
    return session && `${session}.${resumeKey}`;
  }

  /** Inside the click: audio first, before anything is awaited. */
  begin(resume: string | undefined): void {
    const { store, sound, mic, options } = this.#host;
    const { messages, mic: micState, speaker } = store.state;
    store.set({ ...INITIAL, ...FRESH, messages: resume ? messages : [], mic: micState, speaker, status: 'connecting' });
    this.#patience = setTimeout(
      () => this.#fail(new VoiceError('connect_timeout', '', { fatal: true })),
      options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    );
    sound.onPlayback = (report) => this.#conversation.played(report);
    sound.onFailure = (error) => this.#fail(error);
    try {
      this.#audio = this.#openAudio();
    } catch (error) {
      this.#audio = Promise.reject(error);
    }
    this.#audio.catch((error) => this.#fail(asFatal(toVoiceError(error, 'mic_unsupported'))));
    mic.attach({
      frame: (pcm) => this.#outbox.frame(this.#session.audio(pcm, performance.now())),
      mic: (state) => this.#outbox.report({ type: 'mic', state }),
      activity: (state) => {
        this.#outbox.send({ type: 'activity', state }, performance.now());
        if (state === 'end') this.#conversation.released();
      },
    });
    void this.#run(resume);
  }

  abort(): void {
    void this.#finish({ by: 'client', reason: 'aborted' });
  }

  /** End the session on whichever road is open. */
  async end(reason = ''): Promise<void> {
    if (this.#isEnding) return this.over;
    this.#isEnding = true;
    void this.#host.mic.disable();
    if (this.#outbox.isOpen) {
      this.send(reason ? { type: 'end', reason: reason.slice(0, 128) } : { type: 'end' });
      const late = setTimeout(() => this.#finish({ by: 'client', reason: 'client' }), END_PATIENCE_MS);
      await this.over;
      clearTimeout(late);
      return;
    }
    await this.#finish({ by: 'client', reason: 'client' });
  }

  /** Say it now, or after the break. */
  send(message: ClientMessage): void {
    if (!this.#outbox.send(message, performance.now()))
      throw new VoiceError('not_connected', 'The connection is down and too much waits for it.');
  }

  sendText(text: string, respond: boolean): void {
    this.send(respond ? { type: 'text', text } : { type: 'text', text, respond });
    this.#conversation.messages.expectTyped(text);
    if (respond) this.#conversation.expectAnswer();
  }

  interrupt(): Promise<PlayedUntil | null> {
    return this.#conversation.interrupt();
  }

  /** Synchronous up to the first await of each part: the browser counts both as done in the click. */
  #openAudio(): Promise<unknown> {
    const { sound, mic, options } = this.#host;
    const engine = sound.prepare();
    if (!engine) return Promise.resolve();
    const audio = options.audio || {};
    const isOff = !['live', 'muted'].includes(this.#host.store.state.mic.status);
    const opened = (audio.mic?.start ?? 'auto') === 'auto' && isOff ? mic.enable() : null;
    return Promise.all([engine.ready(), opened]);
  }

  async #run(resume: string | undefined): Promise<void> {
    try {
      const ready = await this.#open(resume);
      await this.#lifeline.run(ready);
      const reason = this.#lifeline.ended?.reason ?? 'client';
      await this.#finish({ by: this.#isEnding || reason === 'client' ? 'client' : 'server', reason });
    } catch (thrown) {
      if (this.#stop.signal.aborted) return;
      this.#fail(asFatal(toVoiceError(thrown, 'connect_failed')));
    }
  }

  #open(resume: string | undefined): Promise<Ready> {
    const { signal } = this.#stop;
    if (!resume) return this.#control.start(this.#request(), (stage) => this.#starting(stage), signal);
    const [session = '', key = ''] = resume.split('.');
    this.#control.session = session;
    this.#control.resumeKey = key;
    return this.#control.resume(false, signal);
  }

  #request(): Start {
    const { agent, config, metadata, app } = this.#host.options;
    const tools = this.#host.toolbox.declarations();
    return {
      type: 'start',
      request: randomId(),
      versions: VERSIONS,
      ...(agent && { agent }),
      ...(config && { config: JSON.parse(JSON.stringify(config)) }),
      ...(metadata && { metadata }),
      ...(tools.length && { tools }),
      client: { name: app?.name ?? 'vivavoce', version: app?.version ?? '', platform: platform() },
    };
  }

  #starting({ session, stage, eta_ms }: Starting): void {
    this.#host.store.set({ sessionId: session, starting: { stage, etaMs: eta_ms, at: Date.now() } });
  }

  #receive(item: Incoming): void {
    if (item.type === 'live') this.#live(item);
    this.#conversation.receive(item);
  }

  #live(live: Live): void {
    const { store, emitter } = this.#host;
    const gapMs = this.#brokeAt ? Math.round(performance.now() - this.#brokeAt) : 0;
    this.#brokeAt = 0;
    store.set({
      ...CLEARED,
      sessionId: live.session,
      capabilities: live.capabilities,
      endsAt: Date.now() + live.limits.ends_in_ms,
    });
    if (this.#isJoined) {
      store.set({ status: 'connected' });
      store.setMetrics({ reconnects: store.state.metrics.reconnects + 1 });
      emitter.emit('reconnected', { resumed: live.resumed, gapMs, lostTurns: live.lost_turns });
      return;
    }
    const info = { sessionId: live.session, resumed: live.resumed };
    void this.#audio.then(() => this.#connected(info)).catch(() => {});
  }

  #connected(info: Connected): void {
    if (this.#isOver || this.#isJoined || !this.#outbox.isOpen) return; // a later `live` comes here again
    this.#isJoined = true;
    clearTimeout(this.#patience);
    this.#host.store.set({ status: 'connected' });
    this.#resolveJoined(info);
    this.#host.emitter.emit('connected', info);
  }

  #reconnecting({ attempt, delayMs, error }: Attempt): void {
    const { store, emitter } = this.#host;
    this.#brokeAt ||= performance.now();
    const status = this.#isJoined ? 'reconnecting' : 'connecting';
    store.set({ status, reconnect: { attempt, retryAt: Date.now() + delayMs } });
    emitter.emit('reconnecting', { attempt, delayMs, error });
  }

  #tick(down: number): void {
    const { counters } = this.#session;
    const up = this.#outbox.bytes;
    this.#host.store.setMetrics({
      uplinkBps: (up - this.#lastBytes.up) * 8,
      downlinkBps: (down - this.#lastBytes.down) * 8,
      droppedUplinkMs: Math.round(counters.stale_uplink_ms + this.#outbox.droppedMs),
      missingFrames: counters.missing_frames,
      ignored: counters.unknown_types + counters.bad,
    });
    this.#lastBytes = { up, down };
  }

  #fail(error: VoiceError): void {
    if (this.#isOver) return;
    this.#host.store.set({ error });
    this.#host.emitter.emit('error', error);
    const by = error.code.startsWith('connect') ? 'network' : 'server';
    void this.#finish({ by, reason: error.code, error });
  }

  /** Give everything back, once. */
  async #finish(reason: CloseReason): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    const { store, emitter, sound, mic } = this.#host;
    const error = reason.error ?? aborted();
    clearTimeout(this.#patience);
    this.#stop.abort();
    this.#conversation.close();
    mic.detach();
    sound.onPlayback = null;
    sound.onFailure = null;
    if (!this.#lifeline.ended) void this.#cancelSession();
    const micState = store.state.mic;
    await mic.disable();
    if (micState.status === 'error') store.set({ mic: micState });
    await sound.close();
    this.#host.released();
    store.set({ ...CLEARED, status: reason.error ? 'failed' : 'closed', agent: 'offline' });
    this.#rejectJoined(error);
    emitter.emit('close', reason);
    this.#resolveOver();
  }

  /** On the control road, when the media road could not do it. The server would notice by itself, later. */
  async #cancelSession(): Promise<void> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), END_PATIENCE_MS);
    await this.#control.end(late.signal).catch(() => {});
    clearTimeout(timer);
  }
}

/** What is over once a call is live, or has ended. */
const CLEARED = { starting: undefined, reconnect: undefined } as const;
/** What a call does not take over from the one before. */
const FRESH = { ...CLEARED, error: undefined, sessionId: undefined, usage: undefined, endsAt: undefined } as const;

/** Tells two starts of one user apart; no secret. `crypto.randomUUID` is missing on insecure pages. */
function randomId(): string {
  return Array.from({ length: 3 }, () => Math.random().toString(36).slice(2)).join('');
}

function platform(): string {
  return typeof document === 'undefined' ? 'native' : 'browser';
}
