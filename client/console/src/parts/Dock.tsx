import { useId, useLayoutEffect, useRef, useState, type FormEvent } from 'react';
import { usePushToTalk, useVoiceClient, useVoiceState } from 'vivavoce/react';
import type { TalkMode } from '../audio';
import type { CallSettings } from '../useCall';
import { wordsFor } from '../words';
import { Icon } from './Icon';
import { Tape } from './Tape';

/** Controls of the call: the tape with both voices, the state in words, the buttons. */
export function Dock({ settings }: { settings: CallSettings }) {
  const status = useVoiceState((state) => state.status);
  const isInCall = status === 'connected' || status === 'reconnecting';
  const keys = useKeptFocus(isInCall ? 'call' : status);
  return (
    <section className="dock" aria-label="Controls">
      <Tape mode={settings.mode} />
      <div className="dock-body" data-in-call={isInCall}>
        <StateInWords mode={settings.mode} />
        <div className="keys" ref={keys}>{isInCall ? <CallKeys settings={settings} /> : <StartKey settings={settings} />}</div>
        {isInCall && <Composer />}
        <Mode settings={settings} />
      </div>
    </section>
  );
}

/** The pressed button gives way to others at each change; the focus stays in its place. */
function useKeptFocus(phase: string) {
  const keys = useRef<HTMLDivElement>(null);
  const last = useRef(phase);
  useLayoutEffect(() => {
    if (last.current !== phase && document.activeElement === document.body) keys.current?.querySelector('button')?.focus();
    last.current = phase;
  }, [phase]);
  return keys;
}

function StateInWords({ mode }: { mode: TalkMode }) {
  const words = useVoiceState((state) => JSON.stringify(wordsFor(state, mode)));
  const agent = useVoiceState((state) => (state.status === 'connected' ? state.agent : 'offline'));
  const { state, hint } = JSON.parse(words) as ReturnType<typeof wordsFor>;
  return (
    <div className="words" data-agent={agent}>
      <p className="words-state">{state}</p>
      <p className="words-hint">{hint}</p>
    </div>
  );
}

function StartKey({ settings }: { settings: CallSettings }) {
  const isConnecting = useVoiceState((state) => state.status === 'connecting');
  return isConnecting ? (
    <button type="button" className="key key-plain" onClick={settings.end}>
      <Icon name="close" /> Cancel
    </button>
  ) : (
    <button
      type="button"
      className="key key-main"
      onPointerEnter={settings.prepare}
      onFocus={settings.prepare}
      onClick={settings.start}
    >
      <Icon name="mic" /> Start talking
    </button>
  );
}

function CallKeys({ settings }: { settings: CallSettings }) {
  const client = useVoiceClient();
  const isMuted = useVoiceState((state) => state.mic.muted);
  const isSpeaking = useVoiceState((state) => state.agent === 'speaking');
  return (
    <>
      {settings.mode === 'open' ? (
        <button type="button" className="key key-main" aria-pressed={isMuted} onClick={() => client.mic.setMuted(!isMuted)}>
          <Icon name={isMuted ? 'mic-off' : 'mic'} /> Mute microphone
        </button>
      ) : (
        <TalkKey mode={settings.mode} />
      )}
      <button type="button" className="key key-plain" disabled={!isSpeaking} onClick={() => void client.interrupt()}>
        <Icon name="stop" /> Stop answer
      </button>
      <button type="button" className="key key-plain" onClick={settings.end}>
        <Icon name="end" /> End call
      </button>
    </>
  );
}

function TalkKey({ mode }: { mode: 'hold' | 'toggle' }) {
  const { talking, buttonProps } = usePushToTalk({ key: 'Space', mode });
  const words = mode === 'hold' ? 'Hold to talk' : talking ? 'Press when done' : 'Press to talk';
  return (
    <button {...buttonProps} type="button" className="key key-main key-talk" data-talking={talking}>
      <Icon name="mic" /> {words}
    </button>
  );
}

const MODES: readonly (readonly [TalkMode, string])[] = [
  ['open', 'Open mic'],
  ['hold', 'Hold'],
  ['toggle', 'Toggle'],
];

function Mode({ settings }: { settings: CallSettings }) {
  const name = useId();
  return (
    <fieldset className="mode">
      <legend>Talk by</legend>
      {MODES.map(([mode, label]) => (
        <label key={mode}>
          <input type="radio" name={name} checked={settings.mode === mode} onChange={() => settings.chooseMode(mode)} />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Composer() {
  const client = useVoiceClient();
  const [text, setText] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (!text.trim()) return;
    client.sendText(text.trim()).catch(() => undefined); // said on the page, as an error event
    setText('');
    field.current?.focus();
  };
  return (
    <form className="composer" onSubmit={send}>
      <input ref={field} dir="auto" aria-label="Type instead" placeholder="Type instead" value={text} maxLength={8000} autoComplete="off" onChange={(event) => setText(event.target.value)} />
      <button type="submit" className="quiet" disabled={!text.trim()} aria-label="Send">
        <Icon name="send" />
      </button>
    </form>
  );
}
