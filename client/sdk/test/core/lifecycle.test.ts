// How calls follow one another, and what ends them: hang-ups, signals, pages that go.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { VoiceError } from '../../src/index.js';
import { pass, rig } from './rig.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

type Rig = ReturnType<typeof rig>;

async function live(options = {}): Promise<Rig> {
  const all = rig(options);
  void all.client.connect();
  await pass();
  expect(all.client.getSnapshot().status).toBe('connected');
  return all;
}

/** A server that receives an `end` and never answers it. */
function deafen({ server }: Rig): void {
  for (const socket of server.transport.openOn('media')) socket.onSend = null;
}

describe('a call after a call', () => {
  test('connect() right after disconnect() opens a new session, not the one that ends', async () => {
    const all = await live();
    deafen(all);
    const left = all.client.disconnect();
    const joined = all.client.connect();
    await pass();
    expect(await joined).toMatchObject({ sessionId: 's2', resumed: false });
    await left;
    expect(all.client.getSnapshot()).toMatchObject({ status: 'connected', sessionId: 's2', mic: { status: 'live' } });
    all.engine.microphone.speak(100);
    await pass();
    expect(all.server.uplink).toHaveLength(5);
    expect(all.seen.close.map(([reason]) => reason)).toEqual([{ by: 'client', reason: 'client' }]);
  });

  test('the session that was left is ended on the server', async () => {
    const all = await live();
    void all.client.disconnect();
    void all.client.connect();
    await pass();
    const ends = [...all.server.heard, ...all.server.requests].filter(({ type }) => type === 'end');
    expect(ends).not.toEqual([]);
    expect(all.server.transport.openOn('media')).toHaveLength(1);
  });

  test('connect, disconnect, connect in one task, as StrictMode does, is one call', async () => {
    const all = rig();
    const first = all.client.connect();
    void all.client.disconnect();
    const second = all.client.connect();
    await pass();
    await expect(first).rejects.toMatchObject({ code: 'aborted' });
    expect(await second).toEqual({ sessionId: 's1', resumed: false });
    expect(all.server.requests.filter(({ type }) => type === 'start')).toHaveLength(1);
    expect(all.client.getSnapshot().status).toBe('connected');
  });

  test('what ready asks for besides is offered on the media road, unread', async () => {
    const all = rig();
    all.server.protocols = ['home', 'home.token.a.b-c'];
    void all.client.connect();
    await pass();
    const [control, media] = all.server.transport.sockets;
    expect(media?.protocols.slice(2)).toEqual(['home', 'home.token.a.b-c']);
    expect(control?.protocols).toHaveLength(2);
  });

  test('a disconnect without a call does not take the audio of the call that follows', async () => {
    const all = rig();
    void all.client.disconnect();
    void all.client.connect();
    await pass();
    expect(all.client.getSnapshot()).toMatchObject({ status: 'connected', mic: { status: 'live' } });
    expect(all.engine.events).not.toBeNull();
    all.engine.microphone.speak(20);
    await pass();
    expect(all.server.uplink).toEqual([0]);
  });

  test('an engine of the app’s own is opened again when it has closed, not before', async () => {
    const all = rig();
    const order: string[] = [];
    const { engine } = all;
    const [prepare, close] = [engine.prepare.bind(engine), engine.close.bind(engine)];
    engine.prepare = (events) => {
      order.push('prepare');
      prepare(events);
    };
    engine.close = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      order.push('closed');
      await close();
    };
    void all.client.connect();
    await pass();
    void all.client.disconnect();
    void all.client.connect();
    await pass(100);
    expect(order).toEqual(['prepare', 'closed', 'prepare']);
    expect(all.client.getSnapshot().status).toBe('connected');
  });

  test('a hang-up that waits for the server’s word says so', async () => {
    const all = await live();
    deafen(all);
    const statuses: string[] = [];
    all.client.on('statechange', ({ status }) => statuses.at(-1) === status || statuses.push(status));
    const left = all.client.disconnect();
    expect(all.client.getSnapshot().status).toBe('closing');
    await pass(2000);
    await left;
    expect(statuses).toEqual(['connected', 'closing', 'closed']);
  });

  test('a line that breaks during the hang-up is not mended', async () => {
    const all = await live();
    deafen(all);
    const left = all.client.disconnect();
    all.server.cutMedia();
    await pass();
    await left;
    expect(all.client.getSnapshot().status).toBe('closed');
    expect(all.server.requests.map(({ type }) => type)).toEqual(['start', 'end']);
  });

  test('labels are asked for while a call begins: its microphone stays open', async () => {
    const all = rig();
    all.engine.devices = () =>
      new Promise((resolve) => setTimeout(resolve, 20, { inputs: [], outputs: [], labelled: false }));
    void all.client.devices.list({ requestPermission: true });
    await pass(30);
    void all.client.connect();
    await pass(100);
    expect(all.client.getSnapshot()).toMatchObject({ status: 'connected', mic: { status: 'live' } });
    expect(all.engine.microphone.isOpen).toBe(true);
  });

  test('a microphone that was tried outside a call leaves no engine behind', async () => {
    const all = rig();
    await all.client.mic.enable();
    expect(all.engine.events).not.toBeNull();
    await all.client.mic.disable();
    expect(all.engine.events).toBeNull();
  });
});

describe('the signal of connect()', () => {
  test('bounds the connecting, and not the call', async () => {
    const all = rig();
    const stop = new AbortController();
    const joined = all.client.connect({ signal: stop.signal });
    await pass();
    await joined;
    stop.abort();
    await pass(1000);
    expect(all.client.getSnapshot().status).toBe('connected');
    expect(all.seen.close).toEqual([]);
  });

  test('is not listened to any more once the call has joined, or has failed', async () => {
    for (const refuses of [0, 100]) {
      const all = rig();
      all.server.refuses.control = refuses;
      const listeners = new Set<unknown>();
      const signal = {
        aborted: false,
        addEventListener: (_: string, listener: unknown) => listeners.add(listener),
        removeEventListener: (_: string, listener: unknown) => listeners.delete(listener),
      };
      all.client.connect({ signal: signal as never }).catch(() => {});
      expect(listeners.size).toBe(1);
      await pass();
      expect(listeners.size).toBe(0);
    }
  });
});

describe('a page that goes', () => {
  const page = new EventTarget();
  beforeEach(() => {
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });
  const hide = (persisted: boolean) => page.dispatchEvent(Object.assign(new Event('pagehide'), { persisted }));

  test('ends its session, while its scripts still run', async () => {
    const all = await live();
    hide(false);
    const media = all.server.transport.sockets.find(({ road }) => road === 'media');
    expect(media?.messages.at(-1)).toMatchObject({ type: 'end' });
    await pass();
    expect(all.client.getSnapshot().status).toBe('closed');
  });

  test('while the relay is waited for ends it on the control road', async () => {
    const all = rig();
    const { server, client } = all;
    server.transport.onOpen = (socket) => {
      socket.accept();
      socket.receive({ type: 'starting', session: 's1', resume_key: 'k'.repeat(32), stage: 'relay', eta_ms: 1, i: 1 });
    };
    client.connect().catch(() => {});
    await pass();
    const [control] = server.transport.openOn('control');
    hide(false);
    expect(control?.messages.at(-1)).toEqual({ type: 'end', session: 's1' });
  });

  test('into the back/forward cache keeps it: the page may come back', async () => {
    const all = await live();
    hide(true);
    await pass(100);
    expect(all.client.getSnapshot().status).toBe('connected');
    expect(all.server.heard.filter(({ type }) => type === 'end')).toEqual([]);
  });

  test('keeps it for the next page when the app says so', async () => {
    const all = await live({ pageHide: 'keep' });
    hide(false);
    await pass(100);
    expect(all.server.heard.filter(({ type }) => type === 'end')).toEqual([]);
    expect(all.client.resumeToken).toContain('s1.');
  });

  test('has nothing to end after the call', async () => {
    const all = await live();
    await Promise.all([all.client.disconnect(), pass()]);
    const sockets = all.server.transport.sockets.length;
    hide(false);
    await pass();
    expect(all.server.transport.sockets).toHaveLength(sockets);
    expect(all.seen.close).toHaveLength(1);
  });
});

test('a denied microphone ends the call by the client, not by the server', async () => {
  const all = rig();
  all.engine.microphone.refusal = new VoiceError('mic_denied');
  all.client.connect().catch(() => {});
  await pass();
  expect(all.seen.close[0]?.[0]).toMatchObject({ by: 'client', reason: 'mic_denied' });
});
