import type { VoiceClient } from '../client.js';
import type { VoiceError } from '../errors.js';
import type { Connected, WireFrame } from '../events.js';
import type { VoiceClientOptions } from '../options.js';
import { type ConnectionStatus, INITIAL, type Message, type VoiceState } from '../state.js';
import { type Admitted, admit, type Core } from './admission.js';
import { type Actions, isInCall, type Problem } from './parts.js';
import type { Playing } from './transcript.js';
import { View } from './view.js';
import { audioOf, mannerOf, nameIn, wishesOf } from './wishes.js';
import { type WordKey, WORDS, type Words } from './words.js';

/** Detail of the event `call`: the status of the call has changed. */
export interface CallDetail {
  readonly status: ConnectionStatus;
  readonly sessionId?: string | undefined;
  readonly error?: VoiceError | undefined;
}

/** Events of the element. None bubbles: pages use `message` and `error` for other things. */
export interface VivavoceCallEventMap {
  call: CustomEvent<CallDetail>;
  /** A message was added, or has more text. */
  message: CustomEvent<Message>;
  error: CustomEvent<VoiceError | Problem>;
}

let loading: Promise<Core> | undefined;

/** The client, and the sentences for its errors, once for the page. After a failure the next use tries again. */
function loadCore(): Promise<Core> {
  loading ??= Promise.all([import('../index.js'), import('../advice/index.js')]).then(
    ([core]) => core,
    (cause) => {
      loading = undefined;
      throw cause;
    },
  );
  return loading;
}

/** On a server there are no elements; there the class is only a name. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/**
 * `<vivavoce-call url token-url agent label mode text-only voice language theme worklets prepare>`: a voice call on any
 * page. What it needs to talk is loaded when a pointer or the focus comes near, at the first click, or by `prepare`.
 */
export class VivavoceCall extends Base {
  static readonly observedAttributes = ['mode', 'label', 'text-only', 'language', 'token-url'];
  #view: View | undefined;
  #client: VoiceClient | undefined;
  #core: Core | undefined;
  #admitted: Admitted = { url: '', spare: '' }; //: as the token-url has said
  #options: Partial<VoiceClientOptions> = {};
  #words: Words = {};
  #isLoading = false;
  #attempts = 0; //: to begin a call; a later one, or an end, makes an earlier one void
  #problem: Problem | undefined;
  #playing: Playing | undefined;
  #listening = new AbortController();

  /** Once it is loaded; for everything that has no attribute. */
  get client(): VoiceClient | undefined {
    return this.#client;
  }

  /** More options of `VoiceClient`, for the next call: tools, metadata, a token of your own making. They win. */
  get options(): Partial<VoiceClientOptions> {
    return this.#options;
  }

  set options(options: Partial<VoiceClientOptions>) {
    this.#options = options;
  }

  /** Other words than the English ones. */
  get words(): Words {
    return this.#words;
  }

  set words(words: Words) {
    this.#words = words;
    this.#show();
  }

  /** Load what a call needs and open the control road: a click begins at once. Rejects when nothing can be loaded. */
  async prepare(): Promise<VoiceClient> {
    const client = await this.#load();
    if (this.isConnected) await client.prepare();
    return client;
  }

  /** Call the agent; best inside a click. Rejects with the error that the element shows. */
  connect(): Promise<Connected> {
    return this.#connect(false);
  }

  /** End the call, or give up beginning one. */
  async disconnect(): Promise<void> {
    this.#attempts += 1;
    this.#isLoading = false;
    this.#show();
    await this.#client?.disconnect();
  }

  connectedCallback(): void {
    for (const name of ['options', 'words'] as const) this.#upgrade(name);
    if (this.#view) return; // moved on the page
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.#view = new View(this.shadowRoot ?? this.attachShadow({ mode: 'open' }), this.#actions(), signal);
    if (this.#client) this.#view.listen(this.#client);
    const prepare = () => void this.prepare().catch(() => {}); // the click will say why
    for (const type of ['pointerenter', 'focusin'] as const)
      this.addEventListener(type, prepare, { signal });
    if (this.hasAttribute('prepare')) prepare();
    this.#show();
  }

  disconnectedCallback(): void {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#listening.abort();
      this.#view = undefined;
      void this.disconnect();
    });
  }

  attributeChangedCallback(name: string): void {
    if (name === 'token-url') Object.assign(this.#admitted, { url: '', spare: '' });
    if (name === 'mode' && this.#client) {
      this.#client.talk.stop();
      this.#client.update({ audio: audioOf(this) });
    }
    this.#show();
  }

  async #load(): Promise<VoiceClient> {
    this.#core ??= await loadCore();
    const tokenUrl = this.#askWhere();
    if (tokenUrl) {
      const { token: spare, url = '' } = await admit(tokenUrl, this.#core);
      Object.assign(this.#admitted, { url, spare });
    }
    return this.#clientOf(this.#core);
  }

  async #connect(isSilent: boolean): Promise<Connected> {
    this.#problem = undefined;
    const attempt = (this.#attempts += 1);
    try {
      if (!this.#core || !this.#client || this.#askWhere()) {
        this.#isLoading = true;
        this.#show();
        await this.#load();
      }
      const [core, client] = [this.#core as unknown as Core, this.#client as unknown as VoiceClient];
      if (attempt !== this.#attempts) throw new core.VoiceError('aborted');
      this.#isLoading = false;
      if (isSilent) void client.mic.disable(); // what was wrong with it is no matter now
      client.update({ ...wishesOf(this, core, this.#admitted), audio: audioOf(this, isSilent) });
      return await client.connect();
    } catch (thrown) {
      if (attempt === this.#attempts) this.#fail(thrown);
      throw thrown;
    }
  }

  /** The token-url, where only its answer can say where to call. */
  #askWhere(): string | null {
    const isKnown = this.getAttribute('url') || this.#admitted.url || this.#options.session;
    return isKnown ? null : this.getAttribute('token-url');
  }

  /** Show what is not in the client's state. */
  #fail(thrown: unknown): void {
    this.#isLoading = false;
    const isLoaded = this.#core && thrown instanceof this.#core.VoiceError;
    const problem = isLoaded ? thrown : { code: 'load_failed', advice: WORDS.load_failed };
    if (this.#client?.getSnapshot().error !== problem) {
      this.#problem = problem;
      this.#tell('error', problem);
    }
    this.#show();
  }

  #clientOf(core: Core): VoiceClient {
    if (this.#client) return this.#client;
    const client = new core.VoiceClient(wishesOf(this, core, this.#admitted));
    this.#client = client;
    client.on('statechange', (state, previous) => {
      const { status, sessionId, error } = state;
      if (status !== previous.status) this.#tell('call', { status, sessionId, error });
    });
    for (const event of ['message', 'messageupdate'] as const)
      client.on(event, (message) => this.#tell('message', message));
    client.on('error', (error) => this.#tell('error', error));
    client.on('wire', (direction, _road, frame) => this.#hear(direction, frame));
    this.#view?.listen(client);
    client.subscribe(() => this.#show());
    return client;
  }

  /** How much of the answer has been played, as the client tells the server. */
  #hear(direction: 'in' | 'out', frame: WireFrame): void {
    const { type, state, turn, played_ms: played, buffered_ms: waiting } = frame as Record<string, unknown>;
    if (direction !== 'out' || type !== 'playback') return;
    const share = Number(played) / Math.max(1, Number(played) + Number(waiting ?? 0));
    this.#playing = state === 'drained' || state === 'flushed' ? undefined : { turn: Number(turn), share };
    this.#show();
  }

  #actions(): Actions {
    const begin = (isSilent: boolean) => void this.#connect(isSilent).catch(() => {}); // it is shown
    const shown = (thrown: unknown) => this.#fail(thrown);
    return {
      start: () => begin(false),
      startSilent: () => begin(true),
      end: () => void this.disconnect(),
      setMuted: (isMuted) => this.#client?.mic.setMuted(isMuted),
      openMicrophone: () => this.#client?.mic.enable().catch(() => {}), // in the state
      interrupt: () => void this.#client?.interrupt(),
      unlock: () => this.#client?.speaker.unlock().catch(shown),
      send: (text) => this.#client?.sendText(text).then(() => this.#solve(), shown),
      talk: { start: () => this.#client?.talk.start(), stop: () => this.#client?.talk.stop() },
    };
  }

  #solve(): void {
    this.#problem = undefined;
    this.#show();
  }

  #show(): void {
    const state = this.#client?.getSnapshot() ?? INITIAL;
    const name = nameIn(this) ?? this.#word('agent');
    const manner = { ...mannerOf(this), isLoading: this.#isLoading };
    const seconds = String(Math.ceil((state.starting?.etaMs ?? 0) / 1000));
    const say = (key: WordKey) => this.#word(key).replace('{name}', name).replace('{seconds}', seconds);
    const error = this.#problem ?? problemIn(state);
    const problem = error && { code: error.code, advice: this.#words[error.code] ?? error.advice };
    const language = this.getAttribute('language') ?? '';
    this.#view?.show({ state, manner, name, language, problem, playing: this.#playing, say });
  }

  #word(key: WordKey): string {
    return this.#words[key] ?? WORDS[key];
  }

  #tell<E extends keyof VivavoceCallEventMap>(type: E, detail: VivavoceCallEventMap[E]['detail']): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** A property that was set before the element was defined hides its accessor. */
  #upgrade(name: 'options' | 'words'): void {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete (this as Partial<VivavoceCall>)[name];
    Object.assign(this, { [name]: value });
  }
}

function problemIn(state: VoiceState): VoiceError | undefined {
  return state.error ?? (isInCall(state) ? state.mic.error : undefined);
}
