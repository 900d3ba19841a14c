import type { SessionSource } from 'vivavoce';
import { useVoice } from 'vivavoce/react';

export function App({ session }: { session: SessionSource }) {
  const { status, agent, messages, error, isConnected, prepare, connect, disconnect, mic } = useVoice({ session });
  const words = messages.map((message) => (message.kind === 'text' ? (message.heard ?? message.text) : message.name));
  return (
    <main>
      <h1>Vivavoce in twenty lines</h1>
      <button onPointerEnter={prepare} onFocus={prepare} onClick={() => (isConnected ? disconnect() : connect())}>
        {isConnected ? 'Hang up' : 'Talk'}
      </button>
      <button onClick={mic.toggleMuted} aria-pressed={mic.muted} children="Mute microphone" />
      <output>{isConnected ? agent : status}</output>
      {error && <p role="alert">{error.advice}</p>}
      <div role="log">
        {words.map((text, index) => (
          <p key={messages[index]?.id}>{text}</p>
        ))}
      </div>
    </main>
  );
}
