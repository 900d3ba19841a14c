import { createContext, useContext, useSyncExternalStore } from 'react';
import type { Desk } from './desk';
import type { View } from './observatory';

export const DeskContext = createContext<Desk | null>(null);

export function useDesk(): Desk {
  const desk = useContext(DeskContext);
  if (!desk) throw new Error('no desk above');
  return desk;
}

/** State of the observatory, at most ten times a second. */
export function useView(): View {
  const { observatory } = useDesk();
  return useSyncExternalStore(observatory.subscribe, observatory.getSnapshot);
}
