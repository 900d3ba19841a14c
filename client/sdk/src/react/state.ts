import { useCallback, useEffect, useLayoutEffect, useRef, useSyncExternalStore } from 'react';
import type { VoiceClient, VoiceEvents, VoiceState } from '../index.js';
import { useVoiceClient } from './context.js';

type Select<T> = (state: VoiceState) => T;
type IsEqual<T> = (a: T, b: T) => boolean;

interface Selection<T> {
  readonly client: VoiceClient;
  readonly state: VoiceState;
  readonly select: Select<T>;
  readonly value: T;
}

/** Renders only when the selected value changes. All other hooks are made of it. */
export function useVoiceState<T>(select: Select<T>, isEqual?: IsEqual<T>): T {
  return useSelected(useVoiceClient(), select, isEqual);
}

export function useSelected<T>(client: VoiceClient, select: Select<T>, isEqual: IsEqual<T> = Object.is): T {
  const last = useRef<Selection<T> | null>(null);
  const read = () => {
    const state = client.getSnapshot();
    const old = last.current;
    if (old && old.client === client && old.state === state && old.select === select) return old.value;
    const next = select(state);
    const value = old && isEqual(old.value, next) ? old.value : next;
    last.current = { client, state, select, value };
    return value;
  };
  return useSyncExternalStore(client.subscribe, read, read);
}

/** A function that never changes and calls the latest `handler`: inline functions need no memo. */
export function useLatest<A extends unknown[], R>(handler: (...args: A) => R): (...args: A) => R {
  const latest = useRef(handler);
  useLayoutEffect(() => {
    latest.current = handler;
  });
  return useCallback((...args: A) => latest.current(...args), []);
}

/** Listens while mounted; the handler may be an inline function. */
export function useVoiceEvent<E extends keyof VoiceEvents>(event: E, handler: (...args: VoiceEvents[E]) => void): void {
  useEventOf(useVoiceClient(), event, handler);
}

export function useEventOf<E extends keyof VoiceEvents>(
  client: VoiceClient,
  event: E,
  handler: (...args: VoiceEvents[E]) => void,
): void {
  const latest = useLatest(handler);
  useEffect(() => client.on(event, latest), [client, event, latest]);
}

/** Same length, same elements. */
export function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((element, index) => Object.is(element, b[index]));
}
