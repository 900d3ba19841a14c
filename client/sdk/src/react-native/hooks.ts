import { useEffect, useMemo } from 'react';
import type { VoiceClient } from '../index.js';
import { useVoiceClient, useVoiceState } from '../react/index.js';

/** An `Animated.Value`, or anything else that takes a number without rendering. */
export interface LevelSink {
  setValue(level: number): void;
}

/** Gives `sink` the level, 0 to 1, in animation frames, when it has changed. `sink` stays the same between renders. */
export function useLevelInto(source: 'input' | 'output', sink: LevelSink): void {
  const client = useVoiceClient();
  useEffect(() => {
    let last = -1;
    let frame = requestAnimationFrame(function draw() {
      const level = client.levels[source];
      if (level !== last) sink.setValue(level);
      last = level;
      frame = requestAnimationFrame(draw);
    });
    return () => cancelAnimationFrame(frame);
  }, [client, source, sink]);
}

export interface PushToTalkOptions {
  /** `toggle`: press to begin, press again to end. Default hold. */
  readonly mode?: 'hold' | 'toggle';
}

/** Props of a `Pressable`. */
export interface PressProps {
  readonly onPressIn: () => void;
  readonly onPressOut: () => void;
  readonly onPress: () => void;
  readonly accessibilityRole: 'button';
  readonly accessibilityState: { readonly selected: boolean };
}

export interface UsePushToTalk {
  readonly talking: boolean;
  readonly pressProps: PressProps;
}

/** Spread `pressProps` on a `Pressable`. Lets go when the microphone is taken away or the button goes. */
export function usePushToTalk({ mode = 'hold' }: PushToTalkOptions = {}): UsePushToTalk {
  const client = useVoiceClient();
  const talking = useVoiceState((state) => state.mic.talking);
  const isPaused = useVoiceState((state) => state.mic.status === 'paused');
  const presses = useMemo(() => (mode === 'hold' ? holds(client) : toggles(client)), [client, mode]);
  useEffect(() => {
    if (isPaused) release(client);
  }, [client, isPaused]);
  useEffect(() => () => release(client), [client]);
  return { talking, pressProps: { ...presses, accessibilityRole: 'button', accessibilityState: { selected: talking } } };
}

type Presses = Pick<PressProps, 'onPressIn' | 'onPressOut' | 'onPress'>;

/** A screen reader cannot hold: it presses without a touch, which toggles. */
function holds(client: VoiceClient): Presses {
  let isTouch = false;
  return {
    onPressIn: () => {
      isTouch = true;
      client.talk.start();
    },
    onPressOut: () => {
      release(client);
      setTimeout(() => {
        isTouch = false; // its `onPress`, if it has one, came before this or comes with it
      });
    },
    onPress: () => {
      if (!isTouch) toggle(client);
    },
  };
}

function toggles(client: VoiceClient): Presses {
  return { onPressIn: () => {}, onPressOut: () => {}, onPress: () => toggle(client) };
}

function toggle(client: VoiceClient): void {
  if (client.getSnapshot().mic.talking) client.talk.stop();
  else client.talk.start();
}

function release(client: VoiceClient): void {
  if (client.getSnapshot().mic.talking) client.talk.stop();
}
