import { VoiceClient } from 'vivavoce';
import { audioFor } from './audio';
import { Breaker } from './breaker';
import { Observatory } from './observatory';

/** An agent as the pickers show it. */
export interface Agent {
  readonly name: string;
  readonly voice: string | null;
  readonly language: string | null;
  readonly greeting: string | null;
  readonly allow: readonly string[];
}

/** Everything the page works with, made once. */
export interface Desk {
  readonly client: VoiceClient;
  readonly observatory: Observatory;
  readonly breaker: Breaker;
  readonly agents: readonly Agent[];
  /** false: the page did not come from a local stack, so there is nothing to call */
  readonly isServed: boolean;
  /** names the scene when nothing here is real */
  readonly demo?: string;
  readonly clock: () => number;
}

/** The real thing: the session of whoever sits at this machine, as the local stack gives it. */
export async function openDesk(): Promise<Desk> {
  const breaker = new Breaker();
  const observatory = new Observatory();
  const [session, agents] = await Promise.allSettled([readSession(), read<Agent[]>('dev/agents.json')]);
  const client = new VoiceClient({
    session: {
      url: session.status === 'fulfilled' ? session.value.url : '',
      token: async ({ signal }) => (await readSession(signal)).token,
    },
    audio: audioFor('open'),
    transport: breaker,
    app: { name: 'vivavoce console' },
  });
  observatory.watch(client);
  return {
    client,
    observatory,
    breaker,
    agents: agents.status === 'fulfilled' ? agents.value : [],
    isServed: session.status === 'fulfilled',
    clock: Date.now,
  };
}

interface LocalSession {
  readonly url: string;
  readonly token: string;
}

function readSession(signal?: AbortSignal): Promise<LocalSession> {
  return read<LocalSession>('dev/session.json', signal);
}

async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  const answer = await fetch(path, { cache: 'no-store', ...(signal ? { signal } : {}) });
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status}`);
  return (await answer.json()) as T;
}
