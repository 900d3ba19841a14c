import { ClientSession, type Incoming, type Said } from './protocol/session.js';
import { VERSIONS } from './protocol/tables.js';
import type { Live, Start, Starting } from './protocol/wire.js';
import { Control } from './roads/control.js';
import { type Attempt, Lifeline, type LifelineParts } from './roads/lifeline.js';
import type { Link } from './roads/line.js';
import { Outbox } from './roads/outbox.js';
import { webSockets } from './roads/transport.js';
import { aborted } from './roads/wait.js';
import { since } from './clock.js';
import { Conversation } from './conversation.js';
import { endedBy, type LocalCode, toVoiceError, VoiceError } from './errors.js';
import type { CloseReason, Connected } from './events.js';
import type { CallHost } from './call-host.js';
import type { ReconnectPolicy } from './options.js';
import { INITIAL } from './state.js';

const CONNECT_TIMEOUT_MS = 150_000; //: a cold start of the server takes up to a minute
const END_TIMEOUT_MS = 2000; //: for the server's `ended`
const CLIENT: CloseReason = { by: 'client', reason: 'client' };
const CLEARED = { starting: undefined, reconnect: undefined } as const; //: once a call is live, or has ended

/** One session, from the click to its end. */
export class Call implements LifelineParts {
  readonly link: Link;
  readonly control: Control;
  readonly policy: ReconnectPolicy | false;
  readonly signal: AbortSignal;
  readonly conversation: Conversation;
  readonly session = new ClientSession();
  readonly outbox = new Outbox(this.session);
  /** The app has hung up. */
  isEnding = false;
  #isOver = false;
  #isJoined = false;
  #brokeAt = 0; //: when the present break began, 0 for none
  #audio: Promise<unknown> = Promise.resolve();
  #timeout: ReturnType<typeof setTimeout> | undefined;
  readonly #joined = deferred<Connected>();
  readonly #over = deferred<void>();
  readonly #stop = new AbortController();
  readonly #host: CallHost;
  readonly #lifeline: Lifeline;

  constructor(host: CallHost) {
    this.#host = host;
    const { session, transport = webSockets, reconnect = {} } = this.#host.options;
    this.policy = reconnect;
    this.signal = this.#stop.signal;
    this.link = { transport, emitter: this.#host.emitter, bytes: { up: 0, down: 0 } };
    this.control = new Control(this.link, session, (stage) => this.#starting(stage));
    this.#lifeline = new Lifeline(this);
    this.conversation = new Conversation(this.#host, this.session, this.outbox, () => this.#lifeline.move());
    this.joined.catch(() => {}); // without an awaiter the snapshot and the event tell it
  }

  /** Resolves at the first `live`, with audio ready. */
  get joined(): Promise<Connected> {
    return this.#joined.promise;
  }

  get resumeToken(): string | undefined {
    const { session, resumeKey } = this.control;
    return session && `${session}.${resumeKey}`;
  }

  /** Inside the click: audio first, before anything is awaited. */
  begin(resume: string | undefined): void {
    const { store, sound, mic, options } = this.#host;
    const { messages, mic: micState, speaker } = store.state;
    store.replace({ ...INITIAL, messages: resume ? messages : [], mic: micState, speaker, status: 'connecting' });
    this.#timeout = setTimeout(
      () => this.#fail(new VoiceError('connect_timeout')),
      options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    );
    sound.listener = {
      played: (report) => this.conversation.played(report),
      failed: (error) => this.#fail(error),
    };
    this.#audio = sound.closing ? sound.closing.finally(() => this.#openAudio()) : this.#openAudio();
    this.#audio.catch((error) => this.#fail(error, 'mic_unsupported'));
    mic.attach({
      frame: (pcm) => this.outbox.frame(this.session.audio(pcm, performance.now())),
      mic: (state) => this.outbox.report({ type: 'mic', state }),
      activity: (state) => {
        this.outbox.send({ type: 'activity', state });
        if (state === 'end') this.conversation.released();
      },
    });
    globalThis.addEventListener?.('pagehide', (event) => this.#pageHidden(event), { signal: this.signal });
    void this.#run(resume);
  }

  /** End at once, without waiting for the server. */
  abort(): void {
    this.#finish(this.isEnding ? CLIENT : { by: 'client', reason: 'aborted' });
  }

  /** End the session on whichever road is open. */
  async end(reason = ''): Promise<void> {
    if (!this.isEnding) {
      this.isEnding = true;
      void this.#host.mic.disable();
      if (this.outbox.isOpen) {
        this.outbox.report({ type: 'end', reason: reason.slice(0, 128) });
        this.#host.store.set({ status: 'closing' });
        clearTimeout(this.#timeout);
        this.#timeout = setTimeout(() => this.#finish(CLIENT), END_TIMEOUT_MS);
      } else this.#finish(CLIENT);
    }
    await this.#over.promise;
  }

  /** Send now, or after the break. */
  send(message: Said): void {
    const refused = this.outbox.send(message);
    if (refused) throw refused;
  }

  sendText(text: string, respond: boolean): void {
    this.send({ type: 'text', text, respond });
    this.conversation.messages.expectTyped(text);
    if (respond) this.conversation.expectAnswer();
  }

  received(item: Incoming): void {
    if (item.type === 'live') this.#live(item);
    this.conversation.receive(item);
  }

  reconnecting(info: Attempt): void {
    if (this.isEnding) return this.#finish(CLIENT);
    const { store, emitter } = this.#host;
    this.#brokeAt ||= performance.now();
    const status = this.#isJoined ? 'reconnecting' : 'connecting';
    store.set({ status, reconnect: { attempt: info.attempt, retryAt: Date.now() + info.delayMs } });
    emitter.emit('reconnecting', info);
  }

  ticked(): void {
    const { counters } = this.session;
    const { bytes } = this.link;
    const { store, emitter } = this.#host;
    const { rttMs, droppedMs, delay, narrowUntil } = this.outbox;
    const uplinkDelayMs = Math.round(delay.ms);
    const quality = performance.now() < narrowUntil ? 'narrow' : 'good';
    store.setMetrics({
      rttMs,
      uplinkDelayMs,
      uplinkBps: bytes.up * 8,
      downlinkBps: bytes.down * 8,
      droppedUplinkMs: Math.round(counters.stale_uplink_ms + droppedMs),
      missingFrames: counters.missing_frames,
      ignored: counters.unknown_types + counters.bad,
    });
    bytes.up = bytes.down = 0;
    if (quality === store.state.quality) return;
    store.set({ quality });
    emitter.emit('quality', { quality, uplinkDelayMs });
  }

  /** Synchronous up to the first await of each part: the browser counts both as done in the click. */
  async #openAudio(): Promise<void> {
    if (this.#isOver) return;
    const { sound, mic, options, store } = this.#host;
    const engine = sound.prepare();
    if (!engine) return;
    const isOff = !['live', 'muted'].includes(store.state.mic.status);
    const isWanted = (options.audio || {}).mic?.start !== 'manual';
    await Promise.all([isWanted && isOff && mic.enable(), sound.ready(engine)]);
  }

  async #run(resume: string | undefined): Promise<void> {
    try {
      if (resume) [this.control.session = '', this.control.resumeKey = ''] = resume.split('.');
      await this.#lifeline.run(resume ? null : this.#request());
      const reason = this.#lifeline.ended?.reason ?? 'client';
      this.#finish({ by: this.isEnding || reason === 'client' ? 'client' : 'server', reason });
    } catch (thrown) {
      if (!this.signal.aborted) this.#fail(thrown);
    }
  }

  #request(): Start {
    const { agent, config, metadata, app, audio } = this.#host.options;
    return {
      type: 'start',
      request: randomId(),
      versions: VERSIONS,
      agent: agent || undefined,
      config: audio === false ? { reply: 'text', ...config } : config,
      metadata,
      tools: this.#host.toolbox.declarations(),
      client: { name: 'vivavoce', platform: typeof document === 'undefined' ? 'native' : 'browser', ...app },
    };
  }

  #starting({ session, stage, eta_ms }: Starting): void {
    this.#host.store.set({ sessionId: session, starting: { stage, etaMs: eta_ms, at: Date.now() } });
  }

  #live(live: Live): void {
    const { store, emitter } = this.#host;
    const { session: sessionId, resumed, capabilities } = live;
    const gapMs = this.#brokeAt && since(this.#brokeAt);
    this.#brokeAt = 0;
    store.set({ ...CLEARED, sessionId, capabilities, endsAt: Date.now() + live.limits.ends_in_ms });
    if (this.#isJoined) {
      if (!this.isEnding) store.set({ status: 'connected' });
      store.setMetrics({ reconnects: store.state.metrics.reconnects + 1 });
      emitter.emit('reconnected', { resumed, gapMs, lostTurns: live.lost_turns });
      return;
    }
    const connect = () => {
      if (this.#isOver || this.#isJoined || !this.outbox.isOpen) return; // a later `live` comes here again
      this.#isJoined = true;
      clearTimeout(this.#timeout);
      store.set({ status: 'connected' });
      this.#joined.resolve({ sessionId, resumed });
      emitter.emit('connected', { sessionId, resumed });
    };
    this.#audio.then(connect, () => {});
  }

  #fail(thrown: unknown, code?: LocalCode): void {
    if (this.#isOver) return;
    const error: VoiceError = Object.assign(toVoiceError(thrown, code), { fatal: true }); // the session is over
    this.#host.store.set({ error });
    this.#host.emitter.emit('error', error);
    this.#finish({ by: endedBy(error.code), reason: error.code, error });
  }

  /** End the session while the page still runs scripts; a page in the back/forward cache may return to it. */
  #pageHidden({ persisted }: PageTransitionEvent): void {
    if (persisted || this.#host.options.pageHide === 'keep') return;
    this.isEnding = true;
    if (this.outbox.isOpen) this.outbox.report({ type: 'end', reason: 'pagehide' });
    else this.control.leave();
    this.abort();
  }

  /** Release everything, once. Another call may begin when this returns. */
  #finish(reason: CloseReason): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { store, emitter, sound, mic } = this.#host;
    clearTimeout(this.#timeout);
    this.#stop.abort();
    this.conversation.close();
    mic.attach(null);
    sound.listener = null;
    // On the control road, when the media road could not send it. The server's own timeout would come later.
    if (!this.#lifeline.ended) this.control.end(new AbortController().signal).catch(() => {});
    // After an error the microphone is closed, and the reason stays to be seen.
    const released = store.state.mic.status === 'error' ? sound.close() : mic.disable();
    this.#host.released();
    store.set({ ...CLEARED, status: reason.error ? 'failed' : 'closed', agent: 'offline' });
    this.#joined.reject(reason.error ?? aborted());
    emitter.emit('close', reason);
    void released.finally(this.#over.resolve);
  }
}

/** Promise with its own resolve and reject. */
interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: VoiceError): void;
}

function deferred<T>(): Deferred<T> {
  const made = {} as Deferred<T>;
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

/** Tells two starts of one user apart; no secret. `crypto.randomUUID` is missing on insecure pages. */
function randomId(): string {
  return Math.random().toString(36).slice(2) + Date.now().toString(36);
}
