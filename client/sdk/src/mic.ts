import type { MicOptions } from './audio/engine.js';
import { toVoiceError, VoiceError } from './errors.js';
import type { Host } from './host.js';
import type { MicControls, TalkControls } from './options.js';
import type { Sound } from './sound.js';
import type { MicState, MicStatus } from './state.js';

/** Receiver of the microphone's audio and state during a call. */
export interface Uplink {
  frame(pcm: ArrayBuffer): void;
  mic(state: 'open' | 'paused' | 'closed'): void;
  activity(state: 'start' | 'end'): void;
}

/** The microphone as the app sees it. Outside a call it may be opened for a test of its level. */
export class Mic implements MicControls {
  readonly talk: TalkControls = {
    start: () => {
      const { talking, status } = this.#host.store.state.mic;
      if (talking) return;
      this.#update({ talking: true });
      if (status === 'off') this.#enableInBackground();
    },
    stop: () => this.#update({ talking: false }),
  };
  #uplink: Uplink | null = null;
  #reported = ''; //: state that the server knows
  #chosen: Pick<MicOptions, 'deviceId'> = {}; //: by the user, in place of the app's wish
  #opening = 0; //: counts attempts; a later one makes an earlier one's result void
  readonly #sound: Sound;
  readonly #host: Host;

  constructor(host: Host, sound: Sound) {
    this.#host = host;
    this.#sound = sound;
  }

  get stream(): MediaStream | null {
    return this.#sound.engine?.microphone.stream ?? null;
  }

  get isInCall(): boolean {
    return !!this.#uplink;
  }

  async enable(): Promise<void> {
    const engine = this.#sound.prepare();
    if (!engine) throw new VoiceError('mic_unsupported', 'audio is off');
    const attempt = ++this.#opening;
    this.#host.store.setMic({ status: 'requesting', error: undefined });
    try {
      const info = await engine.microphone.open(this.#wishes(), this.#events());
      if (attempt !== this.#opening) return;
      this.#update({ ...info, status: this.#opened });
    } catch (thrown) {
      if (attempt !== this.#opening) return;
      const error = toVoiceError(thrown, 'mic_unsupported');
      this.#host.store.setMic({ status: 'error', error });
      throw error;
    }
  }

  async disable(): Promise<void> {
    const closed = this.#close('off');
    await (this.#uplink ? closed : this.#sound.close(closed)); // outside a call nothing else needs the engine
  }

  setMuted(muted: boolean): void {
    const { status } = this.#host.store.state.mic;
    this.#host.store.setMic({ muted });
    if (this.#wishes().mute === 'release') {
      if (muted && status === 'live') void this.#close('muted');
      else if (!muted && status === 'muted') this.#enableInBackground();
      return;
    }
    if (['live', 'muted'].includes(status)) this.#update({ status: this.#opened });
  }

  async setDevice(deviceId: string | null): Promise<void> {
    this.#chosen = { deviceId: deviceId ?? undefined };
    if (this.#host.store.state.mic.status !== 'off') await this.enable();
  }

  /** Report the state, unless it is the initial one, and every change to a call. Null: the call is over. */
  attach(uplink: Uplink | null): void {
    this.#uplink = uplink;
    this.#reported = this.#isManual ? 'end' : 'closed';
    this.#report();
  }

  #wishes(): MicOptions {
    return { ...(this.#host.options.audio || {}).mic, ...this.#chosen };
  }

  get #isManual(): boolean {
    return this.#host.options.config?.turns === 'manual';
  }

  get #isHeard(): boolean {
    const { status, talking } = this.#host.store.state.mic;
    const isOpenMode = (this.#wishes().mode ?? (this.#isManual ? 'push-to-talk' : 'open')) === 'open';
    return status === 'live' && (isOpenMode || talking);
  }

  #events() {
    return {
      frame: (pcm: ArrayBuffer) => {
        if (this.#isHeard) this.#uplink?.frame(pcm);
      },
      changed: (info: { deviceId?: string | undefined; label?: string | undefined }) => this.#host.store.setMic(info),
      paused: (isPaused: boolean) => {
        if (['live', 'muted', 'paused'].includes(this.#host.store.state.mic.status))
          this.#update({ status: isPaused ? 'paused' : this.#opened });
      },
      failed: (error: VoiceError) => {
        if (error.code === 'mic_lost') this.#update({ status: 'error', error });
        this.#host.emitter.emit('error', error);
      },
    };
  }

  #update(patch: Partial<MicState>): void {
    this.#host.store.setMic(patch);
    this.#report();
  }

  /** Once the device is open. */
  get #opened(): MicStatus {
    return this.#host.store.state.mic.muted ? 'muted' : 'live';
  }

  async #close(status: MicStatus): Promise<void> {
    this.#opening += 1;
    this.#update({ status, error: undefined });
    await this.#sound.engine?.microphone.close();
  }

  /** Enable in the background: an error becomes an event. */
  #enableInBackground(): void {
    this.enable().catch((error) => this.#host.emitter.emit('error', error));
  }

  /** Report a changed state to the server. */
  #report(): void {
    const isOff = ['off', 'requesting', 'error'].includes(this.#host.store.state.mic.status);
    const state = this.#isHeard ? 'open' : isOff ? 'closed' : 'paused';
    const activity = this.#isHeard ? 'start' : 'end';
    const reported = this.#isManual ? activity : state;
    if (!this.#uplink || reported === this.#reported) return;
    this.#reported = reported;
    if (this.#isManual) this.#uplink.activity(activity);
    else this.#uplink.mic(state);
  }
}
