import { useEffect, useRef } from 'react';
import { useLevelRef, useVoiceClient, useVoiceState } from 'vivavoce/react';
import { useDesk } from '../useDesk';
import type { TalkMode } from '../audio';
import { onScale, TapeRecord } from '../tape';
import { microphoneWords } from '../words';

/**
 * Both voices on one scale: yours above the line, the agent's below, the last seconds behind the writing head.
 * For the eye only; what it shows is said in words beside it.
 */
export function Tape({ mode }: { mode: TalkMode }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const client = useVoiceClient();
  const { demo } = useDesk();
  const input = useLevelRef<HTMLSpanElement>('input', show);
  const output = useLevelRef<HTMLSpanElement>('output', show);
  const isLive = useVoiceState((state) => state.status === 'connected' || state.status === 'reconnecting');
  const mic = useVoiceState((state) => microphoneWords(state, mode));

  useEffect(() => {
    const surface = canvas.current;
    if (!surface) return undefined;
    const record = new TapeRecord(surface, client);
    return record.run({ isStill: demo !== undefined });
  }, [client, demo]);

  return (
    <div className="tape" data-live={isLive}>
      <canvas ref={canvas} aria-hidden="true" />
      <span className="tape-name tape-you">
        You <span>{mic}</span>
      </span>
      <span className="tape-name tape-agent">Agent</span>
      <div className="head" aria-hidden="true">
        <span className="head-you" ref={input} />
        <span className="head-agent" ref={output} />
      </div>
    </div>
  );
}

const show = (level: number, element: HTMLElement) => element.style.setProperty('--shown', onScale(level).toFixed(3));
