import { useEffect, useId, useRef, useState } from 'react';
import type { AudioDevice, AudioDevices } from 'vivavoce';
import { useVoiceClient, useVoiceEvent, useVoiceState } from 'vivavoce/react';
import type { CallSettings } from '../useCall';
import { Icon } from './Icon';

interface Props {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly settings: CallSettings;
}

/** Microphone, speaker, volume and the page's colours. Focus returns to where it was. */
export function Sound({ isOpen, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="sound-title" onClose={onClose}>
      <div className="dialog-top">
        <h2 id="sound-title">Sound</h2>
        <button type="button" className="quiet" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </div>
      {isOpen && <Devices />}
      <Appearance />
    </dialog>
  );
}

function Devices() {
  const client = useVoiceClient();
  const [devices, set] = useState<AudioDevices>({ inputs: [], outputs: [], labelled: false });
  const mic = useVoiceState((state) => state.mic.deviceId ?? '');
  const speaker = useVoiceState((state) => state.speaker);
  const volume = useId();
  useEffect(() => void client.devices.list().then(set, () => undefined), [client]);
  useVoiceEvent('devicechange', set);
  const ask = () => void client.devices.list({ requestPermission: true }).then(set, () => undefined);
  return (
    <>
      <Picker label="Microphone" devices={devices.inputs} value={mic} onPick={(id) => void client.mic.setDevice(id).catch(() => undefined)} />
      <Picker label="Speaker" devices={devices.outputs} value={speaker.deviceId ?? ''} onPick={(id) => void client.speaker.setDevice(id).catch(() => undefined)} />
      {!devices.labelled && (
        <button type="button" className="solid" onClick={ask}>
          Show the devices’ names
        </button>
      )}
      <label className="field" htmlFor={volume}>
        <span>Volume</span>
        <input id={volume} type="range" min="0" max="2" step="0.05" value={speaker.volume} onChange={(event) => client.speaker.setVolume(Number(event.target.value))} />
      </label>
    </>
  );
}

interface PickerProps {
  readonly label: string;
  readonly devices: readonly AudioDevice[];
  readonly value: string;
  readonly onPick: (id: string | null) => void;
}

function Picker({ label, devices, value, onPick }: PickerProps) {
  const named = devices.filter((device) => device.deviceId !== '' && device.deviceId !== 'default');
  return (
    <label className="field">
      <span>{label}</span>
      <select value={named.some((device) => device.deviceId === value) ? value : ''} onChange={(event) => onPick(event.target.value || null)}>
        <option value="">As the system says</option>
        {named.map((device, index) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || `${label} ${index + 1}`}
          </option>
        ))}
      </select>
    </label>
  );
}

const SCHEMES = [
  ['', 'As the system'],
  ['light', 'Light'],
  ['dark', 'Dark'],
] as const;

function Appearance() {
  const [scheme, set] = useState(() => localStorage.getItem('scheme') ?? '');
  useEffect(() => {
    document.documentElement.dataset.scheme = scheme;
    localStorage.setItem('scheme', scheme);
  }, [scheme]);
  return (
    <label className="field">
      <span>Colours</span>
      <select value={scheme} onChange={(event) => set(event.target.value)}>
        {SCHEMES.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}
