import { type ButtonHTMLAttributes, type KeyboardEvent, type PointerEvent, useEffect, useMemo } from 'react';
import type { VoiceClient } from '../index.js';
import { useVoiceClient } from './context.js';
import { useVoiceState } from './state.js';

export interface PushToTalkOptions {
  /** A key of the whole page too, by `KeyboardEvent.code`: 'Space'. */
  readonly key?: string;
  /** `toggle`: press to begin, press again to end. Default hold. */
  readonly mode?: 'hold' | 'toggle';
}

export interface UsePushToTalk {
  readonly talking: boolean;
  readonly buttonProps: ButtonHTMLAttributes<HTMLButtonElement>;
}

/** Spread `buttonProps` on a button: mouse, touch, Space or Enter. Lets go on blur, cancel and in a hidden tab. */
export function usePushToTalk(options: PushToTalkOptions = {}): UsePushToTalk {
  const client = useVoiceClient();
  const talking = useVoiceState((state) => state.mic.talking);
  const { key, mode = 'hold' } = options;
  const press = useMemo(() => presses(client, mode), [client, mode]);
  useEffect(() => listenToPage(press, key), [press, key]);
  const buttonProps = useMemo(() => propsOf(press), [press]);
  return { talking, buttonProps: { ...buttonProps, 'aria-pressed': talking } };
}

interface Presses {
  down(): void;
  up(): void;
  release(): void;
}

function presses(client: VoiceClient, mode: 'hold' | 'toggle'): Presses {
  const release = () => {
    if (client.getSnapshot().mic.talking) client.talk.stop();
  };
  const begin = () => client.talk.start();
  if (mode === 'hold') return { down: begin, up: release, release };
  return { down: () => (client.getSnapshot().mic.talking ? release() : begin()), up: () => {}, release };
}

function propsOf(press: Presses): ButtonHTMLAttributes<HTMLButtonElement> {
  const isOurs = (event: KeyboardEvent) => event.code === 'Space' || event.code === 'Enter';
  return {
    type: 'button',
    onPointerDown: (event: PointerEvent<HTMLButtonElement>) => {
      if (event.button !== 0) return;
      event.currentTarget.setPointerCapture?.(event.pointerId);
      press.down();
    },
    onPointerUp: press.up,
    onPointerCancel: press.release,
    onBlur: press.release,
    onContextMenu: (event) => event.preventDefault(), // a long touch would open it and cancel the pointer
    onKeyDown: (event) => {
      if (!isOurs(event)) return;
      event.preventDefault();
      if (!event.repeat) press.down();
    },
    onKeyUp: (event) => {
      if (isOurs(event)) press.up();
    },
  };
}

function listenToPage(press: Presses, key: string | undefined): () => void {
  const listening = new AbortController();
  const { signal } = listening;
  const onHidden = () => {
    if (document.hidden) press.release();
  };
  window.addEventListener('blur', press.release, { signal });
  document.addEventListener('visibilitychange', onHidden, { signal });
  if (key) {
    const isOurs = (event: globalThis.KeyboardEvent) => event.code === key && !takesKeys(event.target);
    const onDown = (event: globalThis.KeyboardEvent) => {
      if (!isOurs(event) || event.defaultPrevented) return;
      event.preventDefault(); // Space would scroll the page
      if (!event.repeat) press.down();
    };
    window.addEventListener('keydown', onDown, { signal });
    window.addEventListener('keyup', (event) => isOurs(event) && press.up(), { signal });
  }
  return () => {
    listening.abort();
    press.release();
  };
}

/** Elements in which a key means something else. */
function takesKeys(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select, button, a'))
  );
}
