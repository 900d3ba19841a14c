import { useEffect, useState } from 'react';
import { useDesk } from './useDesk';

/** The time, again every `everyMs` while `isOn`. */
export function useNow(everyMs: number, isOn = true): number {
  const { clock, demo } = useDesk();
  const [now, set] = useState(clock);
  useEffect(() => {
    if (!isOn || demo !== undefined) return undefined;
    const timer = setInterval(() => set(clock()), everyMs);
    return () => clearInterval(timer);
  }, [clock, demo, everyMs, isOn]);
  return now;
}

/** Whole seconds until a moment; 0 without one. */
export function useSecondsUntil(moment: number | undefined): number {
  const now = useNow(250, moment !== undefined);
  return moment === undefined ? 0 : Math.max(0, Math.ceil((moment - now) / 1000));
}
