'use client';

import { useAgentState, useConnection, useMessages, useMic } from 'vivavoce/react';

export default function Page() {
  const { status, error, prepare, connect, disconnect } = useConnection();
  const agent = useAgentState();
  const { muted, toggleMuted } = useMic();
  const messages = useMessages();
  const isConnected = status === 'connected';
  return (
    <main>
      <h1>Vivavoce in Next.js</h1>
      <button onPointerEnter={prepare} onFocus={prepare} onClick={() => (isConnected ? disconnect() : connect())}>
        {isConnected ? 'Hang up' : 'Talk'}
      </button>
      <button onClick={toggleMuted} aria-pressed={muted} children="Mute microphone" />
      <output>{isConnected ? agent : status}</output>
      {error && <p role="alert">{error.advice}</p>}
      <div role="log">
        {messages.map((message) => (
          <p key={message.id}>{message.kind === 'text' ? (message.heard ?? message.text) : message.name}</p>
        ))}
      </div>
    </main>
  );
}
