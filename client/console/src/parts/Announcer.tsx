import { useEffect, useRef, useState } from 'react';
import { useVoiceEvent, useVoiceState } from 'vivavoce/react';
import { wordsFor } from '../words';

/**
 * The one region a screen reader listens to: finished sentences and changes of state, never pieces of words.
 * While the agent speaks it keeps quiet, or the reader would talk over the answer and into the open microphone.
 */
export function Announcer() {
  const [text, say] = useState('');
  const waiting = useRef<string[]>([]);
  const isSpeaking = useVoiceState((state) => state.agent === 'speaking');
  const speaking = useRef(isSpeaking);
  speaking.current = isSpeaking;

  const announce = (line: string) => {
    if (speaking.current) waiting.current.push(line);
    else say(line);
  };

  useVoiceEvent('statechange', (state, previous) => {
    if (state.status !== previous.status) announce(wordsFor(state, 'open').state);
  });
  useVoiceEvent('reconnected', () => announce('Connected again. The conversation goes on.'));
  useVoiceEvent('interrupted', () => announce('Interrupted.'));
  useVoiceEvent('messageupdate', (message) => {
    if (message.kind === 'text' && message.final && message.role === 'user') announce(`You said: ${message.text}`);
    if (message.kind === 'tool' && message.status !== 'running') announce(`Tool ${message.name}: ${message.status}.`);
  });

  useEffect(() => {
    if (isSpeaking || waiting.current.length === 0) return;
    say(waiting.current.splice(0).join(' '));
  }, [isSpeaking]);

  return (
    <div className="unseen" role="status" aria-live="polite" aria-atomic="true">
      {text}
    </div>
  );
}
