import { useVoiceClient, useVoiceState } from 'vivavoce/react';
import type { Standing } from '../admission';
import { useDesk } from '../useDesk';
import type { CallSettings } from '../useCall';
import { sentence } from '../sentences';

/** Offer to listen and type without a microphone. */
const MICROPHONE = new Set(['mic_denied', 'mic_not_found', 'mic_in_use', 'mic_unsupported', 'insecure_context']);

/** Why this page cannot call at all. */
const UNABLE: Partial<Record<Standing, string>> = { unserved: 'session_missing', 'signed-out': 'link_missing' };

/** Problem that blocks the call, and what can be done about it. */
export function Trouble({ settings }: { settings: CallSettings }) {
  const error = useVoiceState((state) => state.error ?? state.mic.error);
  const isLocked = useVoiceState((state) => state.status === 'connected' && !state.speaker.unlocked);
  const client = useVoiceClient();
  const { standing, signIn } = useDesk();
  if (isLocked) {
    return (
      <div className="trouble" role="alert">
        <p className="trouble-title">The browser keeps the sound off.</p>
        <button type="button" className="solid" onClick={() => void client.speaker.unlock()}>
          Turn sound on
        </button>
      </div>
    );
  }
  if (signIn) {
    return (
      <div className="trouble" role="alert">
        <p className="trouble-title">This page needs to know who you are.</p>
        <button type="button" className="solid" onClick={() => void signIn()}>
          Sign in
        </button>
      </div>
    );
  }
  const code = UNABLE[standing] ?? error?.code;
  if (!code) return null;
  const { title, advice } = sentence(code, standing, error?.advice);
  return (
    <div className="trouble" role="alert">
      <div>
        <p className="trouble-title">{title}</p>
        <p>{advice}</p>
        {MICROPHONE.has(code) && (
          <button type="button" className="solid" onClick={settings.startSilent}>
            Listen and type instead
          </button>
        )}
      </div>
      <code>{code}</code>
    </div>
  );
}
