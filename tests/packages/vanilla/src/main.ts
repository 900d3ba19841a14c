import { VoiceClient } from 'vivavoce';
import 'vivavoce/advice';
import { session } from './session';

const element = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const [talk, state, words] = [element<HTMLButtonElement>('talk'), element('state'), element('words')];
const client = new VoiceClient({ session: await session() });
const isOn = () => client.getSnapshot().status === 'connected';

client.subscribe(() => {
  const { status, agent, messages, error } = client.getSnapshot();
  talk.textContent = isOn() ? 'Hang up' : 'Talk';
  state.textContent = isOn() ? agent : status;
  words.replaceChildren(
    ...messages.map((message) => {
      const row = document.createElement('p');
      row.textContent = message.kind === 'text' ? (message.heard ?? message.text) : message.name;
      return row;
    }),
  );
  if (error) words.after(Object.assign(document.createElement('p'), { role: 'alert', textContent: error.advice }));
});
talk.onclick = () => (isOn() ? client.disconnect() : client.connect());
