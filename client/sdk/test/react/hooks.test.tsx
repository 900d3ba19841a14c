// @vitest-environment jsdom
import { act, cleanup, configure, fireEvent, render, renderHook, screen } from '@testing-library/react';
import { type ReactNode, StrictMode, useEffect, useState } from 'react';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { VoiceClient, type VoiceClientOptions } from '../../src/index.js';
import '../../src/ondemand/index.js'; // so that its first use takes no time
import {
  useAgentState,
  useConnection,
  useLevel,
  useLevelRef,
  useMessages,
  useMetrics,
  useMic,
  usePushToTalk,
  useSpeaker,
  useTool,
  useVoice,
  useVoiceClient,
  useVoiceEvent,
  useVoiceState,
  VoiceProvider,
} from '../../src/react/index.js';
import { FakeEngine, FakeServer } from '../../src/testing/index.js';

afterEach(cleanup);

function rig(options: Partial<VoiceClientOptions> = {}) {
  const server = new FakeServer();
  const engine = new FakeEngine();
  const all: VoiceClientOptions = {
    session: { url: 'wss://control.test', token: 'a.jwt' },
    transport: server.transport,
    audio: { engine },
    ...options,
  };
  const wrapper = ({ children }: { children: ReactNode }) => <VoiceProvider {...all}>{children}</VoiceProvider>;
  return { server, engine, options: all, wrapper };
}

const settle = () => act(() => new Promise((resolve) => setTimeout(resolve, 5)));

/** The server has been told this, maybe with more after it. */
const told = (server: FakeServer, message: object) =>
  act(() => vi.waitFor(() => expect(server.heard).toContainEqual(expect.objectContaining(message)), { timeout: 30_000 }));

function Call() {
  const { status, error, connect, disconnect } = useConnection();
  return (
    <>
      <button type="button" onClick={() => (status === 'connected' ? disconnect() : connect())}>
        {status}
      </button>
      <p role="alert">{error?.advice}</p>
    </>
  );
}

function Prepared() {
  const { prepare, connect } = useConnection();
  useEffect(() => void prepare(), [prepare]);
  return <button type="button" onPointerEnter={prepare} onFocus={prepare} onClick={() => connect()} />;
}

describe('prepare()', () => {
  // At the root: only there React plays effects twice.
  test.each([StrictMode, ({ children }: { children: ReactNode }) => children])(
    'in an effect and at every pointer and focus is one connection, which the click uses (%#)',
    async (Mode) => {
      const { server, options } = rig();
      render(
        <Mode>
          <VoiceProvider {...options}>
            <Prepared />
          </VoiceProvider>
        </Mode>,
      );
      await settle();
      const button = screen.getByRole('button');
      fireEvent.pointerEnter(button);
      fireEvent.focus(button);
      await settle();
      expect(server.transport.openOn('control')).toHaveLength(1);
      fireEvent.click(button);
      await settle();
      expect(server.transport.openOn('media')).toHaveLength(1);
      expect(server.transport.sockets).toHaveLength(2);
    },
  );

  test.each([0, 5])('is undone when the provider goes, %i ms later', async (ms) => {
    const { server, options } = rig();
    const { unmount } = render(
      <VoiceProvider {...options}>
        <Prepared />
      </VoiceProvider>,
    );
    if (ms) await act(() => new Promise((resolve) => setTimeout(resolve, ms)));
    unmount();
    await settle();
    expect(server.transport.sockets.filter(({ isClosed }) => !isClosed)).toEqual([]);
  });
});

describe('the provider', () => {
  // At the root: only there React plays effects twice.
  beforeEach(() => configure({ reactStrictMode: true }));
  afterEach(() => configure({ reactStrictMode: false }));

  test('an effect that connects, and disconnects when it is undone, ends in StrictMode with one call', async () => {
    const { server, wrapper } = rig();
    const failures: string[] = [];
    function Auto() {
      const { status, connect, disconnect } = useConnection();
      useEffect(() => {
        connect().catch(({ code }) => failures.push(code));
        return () => void disconnect();
      }, [connect, disconnect]);
      return <p role="status">{status}</p>;
    }
    const view = render(<Auto />, { wrapper });
    await settle();
    expect(screen.getByRole('status').textContent).toBe('connected');
    expect(server.requests.map(({ type }) => type)).toEqual(['start']);
    expect(failures).toEqual(['aborted']); // the one that StrictMode undid
    view.unmount();
    await settle();
    expect(server.transport.openOn('media')).toHaveLength(0);
  });

  test('connects nothing on mount, and once on a click, in StrictMode', async () => {
    const { server, engine, wrapper } = rig();
    render(<Call />, { wrapper });
    await settle();
    expect(server.transport.sockets).toHaveLength(0);
    expect(engine.events).toBeNull();
    fireEvent.click(screen.getByRole('button'));
    await settle();
    expect(screen.getByRole('button').textContent).toBe('connected');
    expect(server.requests.map(({ type }) => type)).toEqual(['start']);
  });

  test('ends the call when it is unmounted, not when StrictMode plays that', async () => {
    const { server, wrapper } = rig();
    const view = render(<Call />, { wrapper });
    fireEvent.click(screen.getByRole('button'));
    await settle();
    expect(server.transport.openOn('media')).toHaveLength(1);
    view.unmount();
    await told(server, { type: 'end', reason: 'disposed' });
    expect(server.transport.openOn('media')).toHaveLength(0);
  });

  test('does not dispose a client of yours', async () => {
    const { server, options } = rig();
    const client = new VoiceClient(options);
    const view = render(
      <VoiceProvider client={client}>
        <Call />
      </VoiceProvider>,
    );
    fireEvent.click(screen.getByRole('button'));
    await settle();
    view.unmount();
    await settle();
    expect(server.transport.openOn('media')).toHaveLength(1);
    await client.dispose();
  });

  test('is needed', () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    expect(() => renderHook(() => useVoiceClient())).toThrow('<VoiceProvider>');
    expect(() => renderHook(() => useVoice())).toThrow('<VoiceProvider>');
  });

  test('shows a failure in words a user can act on', async () => {
    const { server, wrapper } = rig();
    server.controlErrors.push({ code: 'capacity', retryable: true });
    render(<Call />, { wrapper });
    fireEvent.click(screen.getByRole('button'));
    await settle();
    expect(screen.getByRole('alert').textContent).toBe('All lines are busy. Try again in a moment.');
    expect(screen.getByRole('button').textContent).toBe('failed');
  });
});

describe('selectors', () => {
  test('render only when what they select changes', async () => {
    const { server, engine, options } = rig();
    const client = new VoiceClient(options);
    const renders = { mic: 0, agent: 0, messages: 0, metrics: 0, own: 0 };
    const probe = (name: keyof typeof renders, use: () => unknown) =>
      function Probe() {
        use();
        renders[name] += 1;
        return null;
      };
    const Mic = probe('mic', useMic);
    const Agent = probe('agent', useAgentState);
    const Messages = probe('messages', () => useMessages({ roles: ['agent'], tools: false }));
    const Numbers = probe('metrics', useMetrics);
    const Own = probe('own', () => useVoiceState((state) => state.messages.length > 0));
    render(
      <VoiceProvider client={client}>
        <Mic />
        <Agent />
        <Messages />
        <Numbers />
        <Own />
      </VoiceProvider>,
    );
    await act(() => client.connect());
    const before = { ...renders };
    await act(async () => {
      server.say({ type: 'transcript', message: 'u1', turn: 1, role: 'user', text: 'Hello' });
      engine.microphone.speak(2000);
    });
    expect(renders).toEqual({ ...before, own: before.own + 1 });
    await act(async () => server.say({ type: 'transcript', message: 'a1', turn: 1, role: 'agent', text: 'Hi' }));
    expect(renders).toEqual({ ...before, own: before.own + 1, messages: before.messages + 1 });
    await act(async () => client.mic.setMuted(true));
    expect(renders.mic).toBe(before.mic + 1);
    expect(renders.agent).toBe(before.agent);
    await client.dispose();
  });

  test('useVoice outside a provider has a client of its own, and calls back', async () => {
    const { server, options } = rig();
    const onConnect = vi.fn();
    const onMessage = vi.fn();
    const onClose = vi.fn();
    const { result, unmount } = renderHook(() => useVoice({ ...options, onConnect, onMessage, onClose }), {
      wrapper: StrictMode,
    });
    await act(() => result.current.connect());
    expect(result.current.isConnected).toBe(true);
    await act(async () => server.say({ type: 'transcript', message: 'a1', turn: 1, role: 'agent', text: 'Hi' }));
    expect(result.current.messages).toHaveLength(1);
    expect(onConnect).toHaveBeenCalledWith({ sessionId: 's1', resumed: false });
    expect(onMessage).toHaveBeenCalledTimes(1);
    unmount();
    await told(server, { type: 'end' });
  });
});

describe('useTool', () => {
  test('runs the latest handler, and is registered while mounted', async () => {
    const { server, options } = rig();
    const client = new VoiceClient(options);
    const register = vi.spyOn(client, 'registerTool');
    function Weather() {
      const [celsius, set] = useState(20);
      const { running } = useTool<{ city: string }>('weather', async ({ city }) => ({ city, celsius }));
      return (
        <button type="button" onClick={() => set(21)}>
          {running.length}
        </button>
      );
    }
    const view = render(
      <VoiceProvider client={client}>
        <Weather />
      </VoiceProvider>,
    );
    await act(() => client.connect());
    expect(server.requests[0]?.tools).toEqual([{ name: 'weather' }]);
    fireEvent.click(screen.getByRole('button'));
    await act(async () =>
      server.say({ type: 'tool.call', call_id: 'c1', name: 'weather', args: { city: 'Bern' }, deadline_ms: 1000 }),
    );
    await told(server, { ok: true, data: { city: 'Bern', celsius: 21 } });
    expect(register).toHaveBeenCalledTimes(1);
    view.unmount();
    await act(async () => server.say({ type: 'tool.call', call_id: 'c2', name: 'weather', deadline_ms: 1000 }));
    await told(server, { call_id: 'c2', ok: false });
    await client.dispose();
  });
});

describe('usePushToTalk', () => {
  function Hold({ mode = 'hold' as const }: { mode?: 'hold' | 'toggle' }) {
    const { talking, buttonProps } = usePushToTalk({ key: 'KeyT', mode });
    const mic = useMic();
    return (
      <>
        <button {...buttonProps}>{talking ? 'talking' : mic.status}</button>
        <input />
      </>
    );
  }

  test.each([
    [
      'the pointer',
      (button: HTMLElement) => fireEvent.pointerDown(button),
      (button: HTMLElement) => fireEvent.pointerUp(button),
    ],
    [
      'Space',
      (button: HTMLElement) => fireEvent.keyDown(button, { code: 'Space' }),
      (button: HTMLElement) => fireEvent.keyUp(button, { code: 'Space' }),
    ],
    [
      'a key of the page',
      () => fireEvent.keyDown(window, { code: 'KeyT' }),
      () => fireEvent.keyUp(window, { code: 'KeyT' }),
    ],
    ['blur', (button: HTMLElement) => fireEvent.pointerDown(button), (button: HTMLElement) => fireEvent.blur(button)],
    [
      'a cancelled touch',
      (button: HTMLElement) => fireEvent.pointerDown(button),
      (button: HTMLElement) => fireEvent.pointerCancel(button),
    ],
    ['the window losing focus', (button: HTMLElement) => fireEvent.pointerDown(button), () => fireEvent.blur(window)],
  ])('holds and lets go by %s', async (_, down, up) => {
    const { wrapper } = rig();
    render(<Hold />, { wrapper });
    const button = screen.getByRole('button');
    await act(async () => void down(button));
    expect(button.getAttribute('aria-pressed')).toBe('true');
    await act(async () => void up(button));
    expect(button.getAttribute('aria-pressed')).toBe('false');
  });

  test('leaves keys to text fields, and toggles', async () => {
    const { wrapper } = rig();
    render(<Hold mode="toggle" />, { wrapper });
    const button = screen.getByRole('button');
    fireEvent.keyDown(screen.getByRole('textbox'), { code: 'KeyT' });
    expect(button.getAttribute('aria-pressed')).toBe('false');
    await act(async () => void fireEvent.pointerDown(button));
    await act(async () => void fireEvent.pointerUp(button));
    expect(button.getAttribute('aria-pressed')).toBe('true');
    await act(async () => void fireEvent.pointerDown(button));
    expect(button.getAttribute('aria-pressed')).toBe('false');
  });
});

describe('levels', () => {
  test('go to the DOM without a render', async () => {
    const { options, engine } = rig();
    const client = new VoiceClient(options);
    let renders = 0;
    function Meter() {
      renders += 1;
      return <div data-testid="meter" ref={useLevelRef<HTMLDivElement>('input')} />;
    }
    render(
      <VoiceProvider client={client}>
        <Meter />
      </VoiceProvider>,
    );
    await act(() => client.connect());
    Object.assign(engine.levels, { input: 0.25 });
    await act(() => new Promise((resolve) => setTimeout(resolve, 60)));
    expect(screen.getByTestId('meter').style.getPropertyValue('--level')).toBe('0.250');
    expect(renders).toBe(1);
    await client.dispose();
  });

  test('as state come at the pace that is asked for', async () => {
    const { wrapper } = rig();
    const { result } = renderHook(() => useLevel('output', { hz: 50 }), { wrapper });
    await settle();
    expect(result.current).toBe(0);
  });
});

test('useSpeaker, useVoiceEvent: controls that stay the same, handlers that are the latest', async () => {
  const { options } = rig();
  const client = new VoiceClient(options);
  const wrapper = ({ children }: { children: ReactNode }) => <VoiceProvider client={client}>{children}</VoiceProvider>;
  const heard: string[] = [];
  const { result, rerender } = renderHook(
    ({ name }: { name: string }) => {
      useVoiceEvent('statechange', () => heard.push(name));
      return useSpeaker();
    },
    { wrapper, initialProps: { name: 'first' } },
  );
  const { setVolume } = result.current;
  rerender({ name: 'second' });
  act(() => setVolume(0.5));
  expect(result.current.volume).toBe(0.5);
  expect(result.current.setVolume).toBe(setVolume);
  expect(heard).toEqual(['second']);
});
