import { vi } from 'vitest';
import { VoiceClient, type VoiceClientOptions, type VoiceEvents } from '../../src/index.js';
import '../../src/ondemand/index.js'; // so that its first use takes no real time
import { FakeEngine, FakeServer } from '../../src/testing/index.js';

type Watched =
  | 'error'
  | 'reconnecting'
  | 'reconnected'
  | 'close'
  | 'interrupted'
  | 'agentspeechend'
  | 'message'
  | 'toolcancel'
  | 'budget'
  | 'citation'
  | 'wire';
type Seen = { [E in Watched]: VoiceEvents[E][] };

function watch<E extends Watched>(client: VoiceClient, seen: Seen, event: E): void {
  client.on(event, (...args) => (seen[event] as VoiceEvents[E][]).push(args));
}

/** A client, its server and its audio; time is virtual. */
export function rig(options: Partial<VoiceClientOptions> = {}) {
  const server = new FakeServer();
  const engine = new FakeEngine();
  const client = new VoiceClient({
    session: { url: 'wss://control.test', token: () => 'a.jwt' },
    transport: server.transport,
    audio: { engine },
    ...options,
  });
  const seen: Seen = {
    error: [],
    reconnecting: [],
    reconnected: [],
    close: [],
    interrupted: [],
    agentspeechend: [],
    message: [],
    toolcancel: [],
    budget: [],
    citation: [],
    wire: [],
  };
  for (const event of Object.keys(seen) as (keyof Seen)[]) watch(client, seen, event);
  return { server, engine, client, seen };
}

/** Let promises and what is due within `ms` run. */
export async function pass(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** The wire's incoming events, by position: what the app could see. */
export function positions(seen: ReturnType<typeof rig>['seen']): string[] {
  return seen.wire
    .filter(([direction, road]) => direction === 'in' && road === 'media')
    .map(([, , frame]) => frame as { e?: number; n?: number })
    .filter((frame) => frame.n)
    .map((frame) => `${frame.e}.${frame.n}`);
}
