// @vitest-environment jsdom
// The hooks for a phone. jsdom is there for the renderer only: no element of it is used.
import { act, cleanup, renderHook } from '@testing-library/react';
import type { ReactNode } from 'react';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { VoiceClient } from '../../src/index.js';
import { NativeEngine, useLevelInto, usePushToTalk, useVoiceClient, VoiceProvider } from '../../src/react-native/index.js';
import { useVoiceClient as useBrowserClient } from '../../src/react/index.js';
import { FakePhone, FakeServer } from '../../src/testing/index.js';

afterEach(cleanup);

async function rig(mode: 'hold' | 'toggle' = 'hold') {
  const server = new FakeServer();
  const module = new FakePhone();
  const client = new VoiceClient({
    session: { url: 'wss://control.test', token: 'a.jwt' },
    transport: server.transport,
    audio: { engine: new NativeEngine(module), mic: { mode: 'push-to-talk' } },
  });
  const wrapper = ({ children }: { children: ReactNode }) => <VoiceProvider client={client}>{children}</VoiceProvider>;
  const view = renderHook(() => usePushToTalk({ mode }), { wrapper });
  await act(() => client.connect());
  const props = () => view.result.current.pressProps;
  return { server, module, client, wrapper, view, props, talking: () => client.getSnapshot().mic.talking };
}

describe('usePushToTalk', () => {
  test('a finger talks while it is down', async () => {
    const { props, talking, view } = await rig();
    act(() => props().onPressIn());
    expect(talking()).toBe(true);
    expect(view.result.current).toMatchObject({ talking: true, pressProps: { accessibilityState: { selected: true } } });
    act(() => {
      props().onPress(); // React Native says it before `onPressOut`, or after
      props().onPressOut();
    });
    expect(talking()).toBe(false);
    act(() => {
      props().onPressIn();
      props().onPressOut();
      props().onPress();
    });
    expect(talking()).toBe(false);
  });

  test('a screen reader, which cannot hold, toggles', async () => {
    const { props, talking } = await rig();
    act(() => props().onPress());
    expect(talking()).toBe(true);
    act(() => props().onPress());
    expect(talking()).toBe(false);
  });

  test('a finger that slid off, which is no press, takes nothing from a screen reader', async () => {
    const { props, talking } = await rig();
    act(() => {
      props().onPressIn();
      props().onPressOut();
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    act(() => props().onPress());
    expect(talking()).toBe(true);
  });

  test('`toggle` begins and ends with a press each', async () => {
    const { props, talking } = await rig('toggle');
    const press = () =>
      act(() => {
        props().onPressIn();
        props().onPress();
        props().onPressOut();
      });
    press();
    expect(talking()).toBe(true);
    press();
    expect(talking()).toBe(false);
  });

  test('a phone call lets go of the button, and so does its end on the screen', async () => {
    const { module, props, talking, view } = await rig();
    act(() => props().onPressIn());
    await act(async () => module.ring());
    expect(talking()).toBe(false);
    await act(async () => module.hangUp());
    expect(talking()).toBe(false);
    act(() => props().onPressIn());
    view.unmount();
    expect(talking()).toBe(false);
  });
});

test('a level goes into an animated value, not into a render', async () => {
  const { module, wrapper } = await rig();
  const sink = { setValue: vi.fn() };
  const render = vi.fn(() => useLevelInto('output', sink));
  renderHook(render, { wrapper });
  module.sound(0.25);
  await vi.waitFor(() => expect(sink.setValue).toHaveBeenLastCalledWith(0.25));
  expect(render).toHaveBeenCalledTimes(1);
});

test('the provider and its context are those of vivavoce/react', async () => {
  expect(useVoiceClient).toBe(useBrowserClient);
});
