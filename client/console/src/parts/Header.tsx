import type { VoiceState } from 'vivavoce';
import { useVoiceState } from 'vivavoce/react';
import { useSecondsUntil } from '../useClock';
import { useDesk } from '../useDesk';
import type { CallSettings } from '../useCall';
import { title } from '../words';
import { Icon, Mark } from './Icon';

type Shown = 'conversation' | 'instruments';

interface Props {
  readonly shown: Shown;
  readonly onShow: (shown: Shown) => void;
  readonly onSound: () => void;
  readonly settings: CallSettings;
}

export function Header({ shown, onShow, onSound, settings }: Props) {
  const { demo } = useDesk();
  return (
    <header className="header">
      <h1 className="brand">
        <Mark />
        <span>Vivavoce</span>
      </h1>
      {demo !== undefined && <span className="demo-tag">Scripted demo</span>}
      <Connection />
      <With settings={settings} />
      <nav className="views" aria-label="View">
        {(['conversation', 'instruments'] as const).map((view) => (
          <button key={view} type="button" aria-pressed={shown === view} onClick={() => onShow(view)}>
            {title(view)}
          </button>
        ))}
      </nav>
      <button type="button" className="quiet" aria-label="Sound" aria-haspopup="dialog" onClick={onSound}>
        <Icon name="sound" />
        <span>Sound</span>
      </button>
    </header>
  );
}

function Connection() {
  const status = useVoiceState((state) => state.status);
  const retryAt = useVoiceState((state) => state.reconnect?.retryAt);
  const wait = useSecondsUntil(status === 'reconnecting' ? retryAt : undefined);
  return (
    <p className="connection" data-status={status}>
      <span className="connection-sign" aria-hidden="true" />
      {words(status, wait)}
    </p>
  );
}

function words(status: VoiceState['status'], wait: number): string {
  switch (status) {
    case 'idle':
    case 'closed':
      return 'Not connected';
    case 'connecting':
      return 'Connecting…';
    case 'connected':
      return 'Connected';
    case 'reconnecting':
      return wait > 0 ? `Reconnecting in ${wait} s` : 'Reconnecting…';
    case 'closing':
      return 'Ending…';
    case 'failed':
      return 'Failed';
  }
}

function With({ settings }: { settings: CallSettings }) {
  const isOn = useVoiceState((state) => state.status === 'connected' || state.status === 'reconnecting');
  const { agent, voice } = settings;
  if (!isOn || !agent) return null;
  const facts = [agent.language, voice || agent.voice].filter(Boolean);
  return (
    <p className="with">
      {title(agent.name)} <span>{facts.join(' · ')}</span>
    </p>
  );
}
