import type { AudioDevices } from '../audio/engine.js';
import type { Mic } from '../mic.js';
import type { Sound } from '../sound.js';
import type { Store } from '../state.js';

interface Parts {
  readonly sound: Sound;
  readonly mic: Mic;
  readonly store: Store;
}

/** List the devices to choose from. `isAsking`: opens and closes the microphone once where labels are missing. */
export async function listDevices({ sound, mic, store }: Parts, isAsking = false): Promise<AudioDevices> {
  const engine = sound.make();
  if (!engine) return { inputs: [], outputs: [], labelled: false };
  const devices = await engine.devices();
  if (devices.labelled || !isAsking || store.state.mic.status !== 'off') return devices;
  await mic.enable();
  const labelled = await sound.engine?.devices();
  if (!mic.isInCall) await mic.disable();
  return labelled ?? devices;
}
