import '@fontsource-variable/atkinson-hyperlegible-next/wght.css';
import '@fontsource-variable/atkinson-hyperlegible-mono/wght.css';
import './styles/base.css';
import './styles/frame.css';
import './styles/conversation.css';
import './styles/dock.css';
import './styles/side.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Console } from './Console';
import { openDesk, type Desk } from './desk';

/** `?demo=call` and its like show a scripted scene without server, microphone or sound. */
async function desk(): Promise<Desk> {
  const scene = new URLSearchParams(location.search).get('demo');
  if (scene === null) return openDesk();
  const { openDemo } = await import('./demo/desk');
  return openDemo(scene);
}

const root = createRoot(document.getElementById('root')!);
const opened = await desk();
root.render(
  <StrictMode>
    <Console desk={opened} />
  </StrictMode>,
);
