import { type RefObject, useEffect, useRef, useState } from 'react';
import { useVoiceClient } from './context.js';
import { useLatest } from './state.js';

type Source = 'input' | 'output';

/** Writes to the DOM in animation frames, without rendering: `--level` (0 to 1) on the element, or by your function. */
export function useLevelRef<T extends HTMLElement>(
  source: Source,
  onFrame?: (level: number, element: T) => void,
): RefObject<T | null> {
  const client = useVoiceClient();
  const ref = useRef<T>(null);
  const paint = useLatest((level: number, element: T) => {
    if (onFrame) onFrame(level, element);
    else element.style.setProperty('--level', level.toFixed(3));
  });
  useEffect(() => {
    let last = -1;
    let frame = requestAnimationFrame(function draw() {
      const level = client.levels[source];
      if (ref.current && level !== last) paint(level, ref.current);
      last = level;
      frame = requestAnimationFrame(draw);
    });
    return () => cancelAnimationFrame(frame);
  }, [client, source, paint]);
  return ref;
}

/** The slow way, for a number in the text: renders at most `hz` times a second. Default 5. */
export function useLevel(source: Source, options: { hz?: number } = {}): number {
  const client = useVoiceClient();
  const [level, setLevel] = useState(0);
  const { hz = 5 } = options;
  useEffect(() => {
    const timer = setInterval(() => setLevel(client.levels[source]), 1000 / hz);
    return () => clearInterval(timer);
  }, [client, source, hz]);
  return level;
}
