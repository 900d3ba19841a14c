import { VoiceClient } from 'vivavoce';
import { admit, type Agent, type ServerPart, type Standing } from './admission';
import { audioFor } from './audio';
import { Breaker } from './breaker';
import { Observatory } from './observatory';

/** Everything the page works with, made once. */
export interface Desk {
  readonly client: VoiceClient;
  readonly observatory: Observatory;
  readonly breaker: Breaker;
  readonly agents: readonly Agent[];
  readonly standing: Standing;
  /** what of the server the person may break */
  readonly breaks: readonly ServerPart[];
  /** leaves for the identity provider, if the deployment has one and nobody is signed in */
  readonly signIn?: () => Promise<void>;
  /** names the scene when nothing here is real */
  readonly demo?: string;
  readonly clock: () => number;
}

/** The real thing. */
export async function openDesk(): Promise<Desk> {
  const breaker = new Breaker();
  const observatory = new Observatory();
  const { standing, url, agents, breaks, signIn, token } = await admit();
  const client = new VoiceClient({
    session: { url, token: ({ signal }) => token(signal) },
    audio: audioFor('open'),
    transport: breaker,
    app: { name: 'vivavoce console' },
  });
  observatory.watch(client);
  return { client, observatory, breaker, agents, standing, breaks, ...(signIn ? { signIn } : {}), clock: Date.now };
}
