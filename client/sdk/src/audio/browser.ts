import { loadWorklets } from './modules.js';
import { BrowserMicrophone } from './microphone.js';
import { BrowserPlayer, wake } from './player.js';
import { type Chunk, onDemand } from '../ondemand.js';
import type { AudioOptions } from '../options.js';
import type { AudioDevices, AudioEngine, AudioEvents, AudioLevels } from './engine.js';

const SETTLE_MS = 500; //: until a context must run, and its clock must move

/** The browser's audio: one AudioContext at the device's rate, two worklets. */
export class BrowserEngine implements AudioEngine {
  readonly microphone = new BrowserMicrophone(() => this.#loaded());
  readonly player = new BrowserPlayer(() => this.#events);
  readonly levels: AudioLevels;
  #context: AudioContext | null = null;
  #loading: Promise<void> = Promise.resolve();
  #events: AudioEvents | null = null;
  #output: GainNode | null = null;
  #listening = new AbortController();
  #spectrum?: Chunk['spectrum']; //: once one was asked for
  readonly #options: AudioOptions;

  constructor(options: AudioOptions) {
    this.#options = options;
    const { microphone, player } = this;
    this.levels = {
      get input() {
        return microphone.level;
      },
      get output() {
        return player.level;
      },
      inputSpectrum: (into) => this.#analyse(into, microphone.source),
      outputSpectrum: (into) => this.#analyse(into, this.#output),
    };
  }

  prepare(events: AudioEvents): void {
    this.#events = events;
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const { mediaDevices, audioSession } = navigator as Navigator & { audioSession?: { type: string } };
    if (audioSession) audioSession.type = 'play-and-record'; // else a phone plays through the earpiece, quietly
    mediaDevices?.addEventListener('devicechange', () => this.devices().then(events.devices, () => {}), { signal });
    document.addEventListener('visibilitychange', () => this.#seen(), { signal });
    for (const gesture of ['click', 'keydown'])
      document.addEventListener(gesture, () => void wake(this.#context), { signal });
    this.#build();
  }

  async ready(): Promise<void> {
    await this.#loaded();
  }

  async devices(): Promise<AudioDevices> {
    return (await onDemand()).mediaDevices();
  }

  async close(): Promise<void> {
    this.#listening.abort();
    this.#events = null;
    await this.microphone.close();
    this.#drop();
  }

  /** A context that runs because it was made in the click, and the graph on it. */
  #build(): void {
    const context = this.#options.audioContext ?? new AudioContext({ latencyHint: 'interactive' });
    this.#context = context;
    this.#output = this.player.attach(context);
    const silence = context.createBufferSource(); // some phones run a context only once it has played
    silence.buffer = context.createBuffer(1, 1, context.sampleRate);
    silence.connect(context.destination);
    silence.start();
    void wake(context);
    context.onstatechange = () => this.#changed(context);
    setTimeout(() => this.#settled(context), SETTLE_MS);
    this.#loading = loadWorklets(context, this.#options.workletUrls).then(() => {
      if (context === this.#context) this.player.start(this.#options.speaker ?? {});
    });
    this.#loading.catch(() => {}); // its awaiters get the error
  }

  #changed(context: AudioContext): void {
    if (context !== this.#context) return;
    const isInterrupted = (context.state as string) === 'interrupted'; // by a call, an assistant, the lock screen
    this.#events?.interrupted(isInterrupted);
    this.microphone.pause(isInterrupted);
    if (!this.player.changes) void wake(context);
    const clock = context.currentTime;
    setTimeout(() => this.#settled(context, clock), SETTLE_MS);
  }

  #settled(context: AudioContext, clock = -1): void {
    if (context !== this.#context) return;
    if (context.state === 'running' && context.currentTime === clock) this.#rebuild();
    else if ((context.state as string) !== 'interrupted') this.#events?.unlocked(context.state === 'running');
  }

  /** Replace a context that reports `running` while its clock stands still. */
  #rebuild(): void {
    if (this.#options.audioContext) return;
    this.#drop();
    this.#build();
    this.#loading.then(() => this.#context && this.microphone.connect(this.#context)).catch(() => {});
  }

  #seen(): void {
    if (document.hidden) return;
    this.microphone.revive();
    void wake(this.#context);
  }

  async #loaded(): Promise<AudioContext> {
    await this.#loading;
    return this.#context as AudioContext;
  }

  #drop(): void {
    const context = this.#context;
    this.#context = null;
    this.player.stop();
    if (!context || this.#options.audioContext) return;
    context.close().catch(() => {});
  }

  /** Zeros until the code that reads spectra has been fetched: few apps draw them. */
  #analyse(into: Uint8Array<ArrayBuffer>, node: AudioNode | null): void {
    into.fill(0);
    if (this.#spectrum) this.#spectrum(into, node);
    else
      onDemand().then(
        ({ spectrum }) => (this.#spectrum = spectrum),
        () => {}, // the next one tries again
      );
  }
}
