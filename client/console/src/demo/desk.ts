import type { VoiceClient } from 'vivavoce';
import { Breaker } from '../breaker';
import type { Agent } from '../admission';
import type { Desk } from '../desk';
import { Observatory } from '../observatory';
import { DemoClient } from './client';
import { errorScene, SCENES } from './scenes';

const AGENTS: readonly Agent[] = [
  { name: 'assistant', voice: 'Kore', language: null, greeting: 'Hi, I’m listening. What can I do for you?', allow: ['voice', 'language', 'turns', 'tools'] },
  { name: 'kiosk', voice: 'Charon', language: 'en-GB', greeting: null, allow: [] },
];

/** A desk on which nothing is real. Scenes: idle, connecting, call, recovered, reconnecting, error, error:CODE. */
export function openDemo(name: string): Desk {
  const scene = name.startsWith('error:') ? errorScene(name.slice(6)) : (SCENES[name] ?? SCENES.idle!);
  let now = scene.now;
  const clock = () => now;
  const observatory = new Observatory(clock);
  const client = new DemoClient(scene);
  const real = client as unknown as VoiceClient;
  observatory.watch(real);
  client.tell(
    (ms) => (now = ms),
    (what) => observatory.expectBreak(what),
  );
  return { client: real, observatory, breaker: new Breaker(), agents: AGENTS, standing: 'local', breaks: ['relay', 'model'], demo: name, clock };
}
