import type { AudioDevices, AudioEngine } from '../audio/engine.js';
import type { VoiceState } from '../state.js';

interface Parts {
  readonly sound: { readonly engine: AudioEngine | null; make(): AudioEngine | null };
  readonly mic: { readonly isInCall: boolean; enable(): Promise<void>; disable(): Promise<void> };
  readonly store: { readonly state: VoiceState };
}

interface Speaker {
  readonly engine: AudioEngine | null;
  setDevice(deviceId: null): Promise<void>;
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

/** Send the sound to the system's choice when the chosen device is not listed any more. Rejects when it cannot be sent. */
export async function checkSpeaker(sound: Speaker, store: Parts['store'], seen?: AudioDevices): Promise<void> {
  const devices = seen ?? (await sound.engine?.devices());
  const { deviceId } = store.state.speaker;
  const isListed = devices?.outputs.some((each) => each.deviceId === deviceId);
  if (deviceId && devices?.labelled && !isListed) await sound.setDevice(null);
}

/** The browser's, as they are now. */
export async function mediaDevices(): Promise<AudioDevices> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (kind: string) => all.filter((device) => device.kind === kind);
  return { inputs: of('audioinput'), outputs: of('audiooutput'), labelled: all.some((device) => device.label) };
}
