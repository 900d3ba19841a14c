import type { TalkControls } from '../options.js';

type Talk = Pick<TalkControls, 'start' | 'stop'>;

/**
 * Push-to-talk by `button`, with mouse, touch, Space or Enter; and by Space anywhere in `root` where it means nothing
 * else. Lets go on blur, on a cancelled touch, and in a hidden tab. Ends with `signal`.
 */
export function holdToTalk(button: HTMLButtonElement, root: ShadowRoot, talk: Talk, signal: AbortSignal): void {
  const release = () => talk.stop();
  const on = (target: EventTarget, types: string, listener: (event: Event) => void) => {
    for (const type of types.split(' ')) target.addEventListener(type, listener, { signal });
  };
  on(button, 'pointerdown', (event) => {
    const { button: pressed, pointerId } = event as PointerEvent;
    if (pressed !== 0) return;
    button.setPointerCapture?.(pointerId);
    talk.start();
  });
  on(button, 'pointerup pointercancel blur', release);
  on(button, 'contextmenu', (event) => event.preventDefault()); // a long touch would open it and cancel the pointer
  on(root, 'keydown', (event) => {
    if (button.closest('[hidden]') || !isToTalk(event as KeyboardEvent, button)) return;
    event.preventDefault(); // Space would scroll the page
    if (!(event as KeyboardEvent).repeat) talk.start();
  });
  on(root, 'keyup', (event) => isToTalk(event as KeyboardEvent, button) && release());
  on(window, 'blur', release);
  on(document, 'visibilitychange', () => document.hidden && release());
  signal.addEventListener('abort', release);
}

function isToTalk({ code, target }: KeyboardEvent, button: HTMLButtonElement): boolean {
  if (target === button) return code === 'Space' || code === 'Enter';
  return code === 'Space' && !(target as Element).closest('input, button');
}
