import { useCallback, useEffect, useMemo, useState } from 'react';
import type { AudioOptions } from 'vivavoce';
import { useVoiceClient } from 'vivavoce/react';
import { audioFor, type TalkMode } from './audio';
import type { Agent } from './admission';
import { localTime } from './localTime';
import { useDesk } from './useDesk';

export interface CallSettings {
  readonly agent: Agent | undefined;
  readonly agents: readonly Agent[];
  readonly chooseAgent: (name: string) => void;
  /** empty: the agent's own */
  readonly voice: string;
  readonly chooseVoice: (voice: string) => void;
  readonly mode: TalkMode;
  readonly chooseMode: (mode: TalkMode) => void;
  /** Open the control road before the click. */
  readonly prepare: () => void;
  readonly start: () => void;
  /** Call to listen and type: nothing asks for the microphone. */
  readonly startSilent: () => void;
  readonly end: () => void;
}

/** Choices of the user before and during a call, and the two actions that use them. */
export function useCallSettings(): CallSettings {
  const client = useVoiceClient();
  const { agents } = useDesk();
  const [name, setName] = useState(agents[0]?.name ?? ''); // empty: whom the server has for everybody
  const [voice, chooseVoice] = useState('');
  const [mode, setMode] = useState<TalkMode>('open');
  const agent = agents.find((each) => each.name === name);

  useEffect(() => (agent?.allow.includes('tools') ? client.registerTool('local_time', localTime) : undefined), [agent, client]);

  const prepare = useCallback(() => void client.prepare(), [client]);
  useEffect(prepare, [prepare]); // with the page

  const chooseAgent = useCallback((next: string) => {
    setName(next);
    chooseVoice('');
  }, []);
  const chooseMode = useCallback(
    (next: TalkMode) => {
      setMode(next);
      client.talk.stop();
      client.update({ audio: audioFor(next) });
    },
    [client],
  );
  const call = useCallback(
    (audio: AudioOptions) => {
      client.update({ agent: name || undefined, config: voice ? { voice } : {}, audio });
      client.connect().catch(() => undefined); // it is in the state, and the page shows it from there
    },
    [client, name, voice],
  );
  const start = useCallback(() => call(audioFor(mode)), [call, mode]);
  const startSilent = useCallback(() => call({ ...audioFor(mode), mic: { start: 'manual' } }), [call, mode]);
  const end = useCallback(() => void client.disconnect('user'), [client]);

  return useMemo(
    () => ({ agent, agents, chooseAgent, voice, chooseVoice, mode, chooseMode, prepare, start, startSilent, end }),
    [agent, agents, chooseAgent, voice, mode, chooseMode, prepare, start, startSilent, end],
  );
}
