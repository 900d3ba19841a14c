import { VoiceError } from './errors.js';
import type { SpeakerControls } from './options.js';
import type { Sound } from './sound.js';
import type { Store } from './state.js';

const LOUDEST = 4; //: twelve decibels: enough for a phone that plays quietly while its microphone is open

/** The loudspeaker as the app sees it. */
export class Speaker implements SpeakerControls {
  readonly #sound: Sound;
  readonly #store: Store;

  constructor(sound: Sound, store: Store) {
    this.#sound = sound;
    this.#store = store;
  }

  get stream(): MediaStream | null {
    return this.#sound.engine?.player.stream ?? null;
  }

  async unlock(): Promise<void> {
    await this.#sound.prepare()?.player.unlock();
  }

  setMuted(muted: boolean): void {
    this.#store.setSpeaker({ muted });
    this.#sound.setVolume();
  }

  setVolume(volume: number): void {
    if (!Number.isFinite(volume)) return;
    this.#store.setSpeaker({ volume: Math.min(LOUDEST, Math.max(0, volume)) });
    this.#sound.setVolume();
  }

  async setDevice(deviceId: string | null): Promise<void> {
    const player = this.#sound.engine?.player;
    if (!player) throw new VoiceError('not_connected', 'audio is off');
    await player.setDevice(deviceId);
    this.#store.setSpeaker({ deviceId: deviceId ?? undefined });
  }
}
