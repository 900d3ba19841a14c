import { useState } from 'react';
import { VoiceProvider } from 'vivavoce/react';
import type { Desk } from './desk';
import { DeskContext } from './useDesk';
import { Announcer } from './parts/Announcer';
import { Conversation } from './parts/Conversation';
import { Dock } from './parts/Dock';
import { Header } from './parts/Header';
import { Side } from './parts/Side';
import { Sound } from './parts/Sound';
import { Trouble } from './parts/Trouble';
import { useCallSettings } from './useCall';

/** The whole page. On a phone one of the two columns is shown at a time. */
export function Console({ desk }: { desk: Desk }) {
  return (
    <VoiceProvider client={desk.client}>
      <DeskContext value={desk}>
        <Page />
      </DeskContext>
    </VoiceProvider>
  );
}

function Page() {
  const [shown, show] = useState<'conversation' | 'instruments'>('conversation');
  const [isSoundOpen, openSound] = useState(false);
  const settings = useCallSettings();
  return (
    <div className="page" data-shown={shown}>
      <Header shown={shown} onShow={show} onSound={() => openSound(true)} settings={settings} />
      <main className="main">
        <section className="stage" aria-label="Conversation">
          <Trouble settings={settings} />
          <Conversation settings={settings} />
          <Dock settings={settings} />
        </section>
        <Side />
      </main>
      <Sound isOpen={isSoundOpen} onClose={() => openSound(false)} settings={settings} />
      <Announcer />
    </div>
  );
}
