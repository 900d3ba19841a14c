import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { FakeSocket } from '../../src/testing/index.js';
import { pass, positions, rig } from './rig.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function inMidAnswer() {
  const all = rig();
  const joined = all.client.connect();
  await pass();
  await joined;
  all.engine.microphone.speak(200);
  all.server.say({ type: 'turn.started', turn: 1, role: 'user' });
  all.server.say({ type: 'transcript', message: 'u1', turn: 1, role: 'user', text: 'Hello?', final: true });
  all.server.say({ type: 'turn.ended', turn: 1, role: 'user' });
  all.server.say({ type: 'turn.started', turn: 1, role: 'agent' });
  all.server.speak(1, 500);
  all.server.say({ type: 'transcript', message: 'a1', turn: 1, role: 'agent', text: 'It is ' });
  await pass();
  all.engine.player.advance(300);
  return all;
}

/** What the agent goes on to say, whether anybody is there or not. */
function goOn(server: Awaited<ReturnType<typeof inMidAnswer>>['server']): void {
  server.speak(1, 500);
  server.say({ type: 'transcript', message: 'a1', turn: 1, role: 'agent', text: 'sunny.', final: true });
  server.say({ type: 'turn.audio_end', turn: 1 });
  server.say({ type: 'turn.ended', turn: 1, role: 'agent' });
}

/** What a socket was sent, but for pings: frames, states, types. */
function orderOf(socket: FakeSocket | undefined): unknown[] {
  const names = socket?.sent.map((item) => (item instanceof Uint8Array ? 'frame' : (item.state ?? item.type)));
  return names?.filter((name) => name !== 'ping') ?? [];
}

function wholeAnswer(all: Awaited<ReturnType<typeof inMidAnswer>>, events: number): void {
  const { client, engine, seen } = all;
  expect(client.getSnapshot().status).toBe('connected');
  expect(positions(seen)).toEqual(Array.from({ length: events }, (_, index) => `1.${index + 1}`));
  expect(engine.player.played).toEqual([
    { turn: 1, ms: 500 },
    { turn: 1, ms: 500 },
  ]);
  const texts = client.getSnapshot().messages.map((message) => message.kind === 'text' && message.text);
  expect(texts).toEqual(['Hello?', 'It is sunny.']);
}

describe('a connection that breaks again and again', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  async function breakAfter(all: ReturnType<typeof rig>, liveMs: number): Promise<number> {
    await pass(liveMs);
    all.server.cutMedia();
    await pass();
    const { delayMs } = all.seen.reconnecting.at(-1)?.[0] as { delayMs: number };
    await pass(delayMs);
    await pass();
    expect(all.client.getSnapshot().status).toBe('connected');
    return delayMs;
  }

  test('is made more and more slowly, until one has held for ten seconds', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const all = rig();
    const joined = all.client.connect();
    await pass();
    await joined;
    const delays: number[] = [];
    for (const liveMs of [0, 100, 9000, 9999, 10_000, 0]) delays.push(await breakAfter(all, liveMs));
    expect(delays).toEqual([250, 500, 1000, 2000, 250, 500]);
  });
});

describe('a cut in mid-answer', () => {
  test('of media: no event twice, none lost', async () => {
    const all = await inMidAnswer();
    all.server.cutMedia();
    await pass();
    expect(all.client.getSnapshot().status).toBe('reconnecting');
    goOn(all.server);
    await pass(1000);
    wholeAnswer(all, 8);
    expect(all.seen.reconnected).toHaveLength(1);
    expect(all.client.getSnapshot().metrics.reconnects).toBe(1);
  });

  test('of control: nothing changes', async () => {
    const all = await inMidAnswer();
    all.server.cutControl();
    goOn(all.server);
    await pass(1000);
    wholeAnswer(all, 8);
    expect(all.seen.reconnecting).toHaveLength(0);
  });

  test('of both: control is tried again until it is back', async () => {
    const all = await inMidAnswer();
    all.server.refuses.control = 3;
    all.server.cutControl();
    all.server.cutMedia();
    goOn(all.server);
    await pass(8000);
    wholeAnswer(all, 8);
    const attempts = all.seen.reconnecting.map(([info]) => [info.attempt, info.error.code]);
    expect(attempts).toEqual([
      [1, 'connection_lost'],
      [2, 'connect_failed'],
      [3, 'connect_failed'],
      [4, 'connect_failed'],
    ]);
  });

  test('of control while it resumes', async () => {
    const all = await inMidAnswer();
    all.server.transport.onOpen = ((serve) => (socket) => {
      all.server.transport.onOpen = serve;
      socket.accept();
      socket.cut();
    })(all.server.transport.onOpen);
    all.server.cutMedia();
    goOn(all.server);
    await pass(3000);
    wholeAnswer(all, 8);
  });

  test('and the reply to a resume is lost: it is asked again within nine seconds, not thirty', async () => {
    const all = await inMidAnswer();
    let lost = 0;
    all.server.transport.onOpen = ((serve) => (socket) => {
      all.server.transport.onOpen = serve;
      socket.onSend = () => (lost += 1);
      socket.accept();
    })(all.server.transport.onOpen);
    all.server.cutMedia();
    goOn(all.server);
    await pass(7000);
    expect(lost).toBe(1);
    expect(all.client.getSnapshot().status).toBe('reconnecting');
    await pass(2000);
    wholeAnswer(all, 8);
  });

  test('again and again: each time the position is told', async () => {
    const all = await inMidAnswer();
    for (let cut = 0; cut < 3; cut += 1) {
      all.server.cutMedia();
      await pass(1000);
    }
    goOn(all.server);
    await pass();
    wholeAnswer(all, 8);
    const hellos = all.server.heard.filter((message) => message.type === 'hello');
    expect(hellos.map((hello) => hello.after)).toEqual([
      [0, 0],
      [1, 5],
      [1, 5],
      [1, 5],
    ]);
    expect(hellos.at(-1)).toMatchObject({ last_turn: 1, next_seq: 1 });
  });
});

async function speakFor(all: ReturnType<typeof rig>, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 20) {
    all.engine.microphone.speak(20);
    await pass(20);
  }
}

describe('the microphone during a break', () => {
  test('the latest thirty seconds are sent again, in order; older frames are dropped and counted', async () => {
    const all = await inMidAnswer();
    all.server.ack();
    expect(all.server.uplink).toHaveLength(10);
    all.server.refuses.control = 100;
    all.server.cutMedia();
    await speakFor(all, 33_000);
    all.server.refuses.control = 0;
    await pass(16_000);
    expect(all.server.uplink.slice(10)).toEqual(Array.from({ length: 1500 }, (_, seq) => 160 + seq));
    expect(all.client.getSnapshot().metrics.droppedUplinkMs).toBe(3000);
  });

  test('what is said while the line takes what is said again is not dropped', async () => {
    const all = await inMidAnswer();
    all.server.refuses.control = 100;
    all.server.cutMedia();
    await speakFor(all, 20_000);
    const pongs: (() => void)[] = [];
    const answer = all.server.answer.bind(all.server);
    all.server.answer = (message) => (message.type === 'pong' ? void pongs.push(() => answer(message)) : answer(message));
    all.server.refuses.control = 0;
    while (all.server.uplink.length === 10) await pass(100);
    expect(all.server.uplink.length).toBeLessThan(100);
    for (let at = 0; at < 5000; at += 100) {
      await speakFor(all, 100);
      pongs.shift()?.();
    }
    while (pongs.length) {
      pongs.shift()?.();
      await pass(20);
    }
    expect(all.server.uplink).toEqual(Array.from({ length: 1260 }, (_, seq) => seq));
    expect(all.client.getSnapshot().metrics.droppedUplinkMs).toBe(0);
  });

  test('another relay is sent all that the record lacks, the same one what it lacks', async () => {
    const all = await inMidAnswer();
    all.server.cutMedia();
    await pass(1000);
    expect(all.server.uplink).toHaveLength(10);
    all.server.cutMedia();
    all.server.moveRelay();
    await pass(1000);
    expect(all.server.heard.filter(({ type }) => type === 'hello').at(-1)).toMatchObject({ kept_seq: 0 });
    const frames = Array.from({ length: 10 }, (_, seq) => seq);
    expect(all.server.uplink).toEqual([...frames, ...frames]);
  });

  test('a short break loses nothing', async () => {
    const all = await inMidAnswer();
    all.server.cutMedia();
    all.engine.microphone.speak(400);
    await pass(1000);
    expect(all.server.uplink).toEqual(Array.from({ length: 30 }, (_, seq) => seq));
    expect(all.client.getSnapshot().metrics.droppedUplinkMs).toBe(0);
  });

  test('a line without an answer holds what is spoken until the next one, which gets all of it', async () => {
    const all = await inMidAnswer();
    const { answer } = all.server;
    all.server.answer = () => {};
    for (let frame = 0; frame < 150; frame += 1) {
      all.engine.microphone.speak(20);
      await pass(20);
    }
    expect(all.server.uplink.length).toBeLessThan(50);
    all.server.answer = answer;
    all.server.cutMedia();
    await pass(3000);
    expect(all.server.uplink).toHaveLength(160);
    expect(all.client.getSnapshot().metrics.droppedUplinkMs).toBe(0);
  });
});

test('reconnecting leaves no listener behind', async () => {
  const signals = new Set<AbortSignal>();
  const all = rig({
    session: {
      url: 'wss://control.test',
      token: ({ signal }) => {
        signals.add(signal);
        return 'a.jwt';
      },
    },
  });
  void all.client.connect();
  await pass();
  const listeners = () => [...signals].map((signal) => getEventListeners(signal, 'abort').length);
  const before = listeners();
  for (let breaks = 0; breaks < 5; breaks += 1) {
    all.server.cutMedia();
    await pass(10_000);
  }
  expect(all.client.getSnapshot().metrics.reconnects).toBe(5);
  expect(listeners()).toEqual(before);
});

describe('what waits for the connection', () => {
  test('is sent in the order it was made', async () => {
    const all = rig({ config: { turns: 'manual' } });
    void all.client.connect();
    await pass();
    all.server.cutMedia();
    all.client.talk.start();
    await pass(20);
    all.engine.microphone.speak(40);
    await pass(20);
    all.client.talk.stop();
    await all.client.sendText('and this');
    await pass(1000);
    const media = all.server.transport.sockets.filter((socket) => socket.road === 'media').at(-1);
    const order = orderOf(media);
    expect(order.slice(0, 6)).toEqual(['hello', 'start', 'frame', 'frame', 'end', 'text']);
  });

  test('the state of the microphone is told again after a break', async () => {
    const all = await inMidAnswer();
    all.server.cutMedia();
    all.client.mic.setMuted(true);
    await pass(1000);
    const states = all.server.heard.filter((message) => message.type === 'mic').map((message) => message.state);
    expect(states).toEqual(['open', 'paused']);
  });

  const numbered = (all: ReturnType<typeof rig>, type: string) =>
    all.server.heard.filter((message) => message.type === type).map(({ n, text }) => [n, text]);

  /** What is sent from now on is lost with the connection. */
  function lose(all: ReturnType<typeof rig>): void {
    const [media] = all.server.transport.openOn('media');
    if (media) media.onSend = () => {};
  }

  async function talking(options = {}) {
    const all = rig(options);
    void all.client.connect();
    await pass();
    return all;
  }

  test('what was lost with its connection is said again, in order', async () => {
    const all = await talking();
    await all.client.sendText('one');
    lose(all);
    await all.client.sendText('two');
    await all.client.sendContext('three');
    all.server.cutMedia();
    await all.client.sendText('four');
    await pass(1000);
    expect(numbered(all, 'text')).toEqual([[1, 'one'], [2, 'two'], [4, 'four']]);
    expect(numbered(all, 'context')).toEqual([[3, 'three']]);
    const media = all.server.transport.sockets.filter((socket) => socket.road === 'media').at(-1);
    expect(media?.sent.filter((item) => 'n' in item).map((item) => (item as { n: number }).n)).toEqual([2, 3, 4]);
  });

  test('another relay is asked what the lost one has not answered', async () => {
    const all = await talking();
    await all.client.sendText('one');
    all.server.ack();
    await all.client.sendText('two');
    all.server.cutMedia();
    all.server.moveRelay();
    await pass(1000);
    expect(numbered(all, 'text')).toEqual([[1, 'one'], [2, 'two'], [2, 'two']]);
  });

  test('a tool result that was lost is told again', async () => {
    const all = await talking({ tools: { weather: () => ({ celsius: 21 }) } });
    lose(all);
    all.server.say({ type: 'tool.call', call_id: 'c1', name: 'weather', deadline_ms: 5000 });
    await pass();
    all.server.cutMedia();
    await pass(1000);
    expect(all.server.heard.filter((message) => message.type === 'tool.result')).toMatchObject([
      { n: 1, call_id: 'c1', ok: true, data: { celsius: 21 } },
    ]);
  });

  test('too much is refused rather than forgotten', async () => {
    const all = await talking();
    all.server.refuses.control = 100;
    all.server.cutMedia();
    for (let count = 0; count < 256; count += 1) await all.client.sendContext('a');
    await expect(all.client.sendContext('a')).rejects.toMatchObject({ code: 'not_connected' });
  });

  test('an interruption that was lost is told again', async () => {
    const all = await inMidAnswer();
    lose(all);
    await all.client.interrupt();
    all.server.cutMedia();
    await pass(1000);
    expect(all.server.heard.filter((message) => message.type === 'interrupt')).toMatchObject([{ turn: 1 }]);
  });
});

describe('finished turns from the record', () => {
  const HISTORY = {
    type: 'history',
    turns: [
      { turn: 1, user: 'Hello?', agent: 'It is sunny.' },
      { turn: 2, user: 'And now?', agent: 'The first', interrupted: true },
      { turn: 3, agent: 'Still there?' },
    ],
  };
  const texts = (all: ReturnType<typeof rig>) =>
    all.client.getSnapshot().messages.map((message) => message.kind === 'text' && [message.id, message.text]);

  test('fill a page that was reloaded', async () => {
    const all = rig();
    void all.client.connect();
    await pass();
    all.server.answer(HISTORY);
    all.server.say({ type: 'transcript', message: 'u4', turn: 4, role: 'user', text: 'Yes.', final: true });
    await pass();
    expect(texts(all)).toEqual([
      ['u1', 'Hello?'],
      ['a1', 'It is sunny.'],
      ['u2', 'And now?'],
      ['a2', 'The first'],
      ['a3', 'Still there?'],
      ['u4', 'Yes.'],
    ]);
    expect(all.client.getSnapshot().messages[3]).toMatchObject({ interrupted: true, final: true });
    expect(all.seen.message).toHaveLength(6);
    expect(all.engine.player.played).toEqual([]);
    all.server.cutMedia();
    await pass(1000);
    expect(all.server.heard.filter(({ type }) => type === 'hello').at(-1)).toMatchObject({ last_turn: 3 });
  });

  test('take the place of what is here, and double nothing', async () => {
    const all = await inMidAnswer();
    all.server.cutMedia();
    all.server.moveRelay();
    await pass(1000);
    all.server.answer({ type: 'history', turns: HISTORY.turns.slice(0, 1) });
    await pass();
    expect(texts(all)).toEqual([
      ['u1', 'Hello?'],
      ['a1', 'It is sunny.'],
    ]);
    expect(all.client.getSnapshot().messages.at(-1)).toMatchObject({ interrupted: false });
    expect(all.seen.message).toHaveLength(2);
  });
});

describe('another relay', () => {
  test('takes over: turns go on, what was unfinished is marked', async () => {
    const all = await inMidAnswer();
    all.server.cutMedia();
    all.server.moveRelay();
    await pass(1000);
    expect(all.client.getSnapshot().messages.at(-1)).toMatchObject({ id: 'a1', final: true, interrupted: true });
    all.server.say({ type: 'turn.started', turn: 2, role: 'agent' });
    all.server.speak(2, 100);
    await pass();
    expect(positions(all.seen).at(-1)).toBe('2.1');
    expect(all.engine.player.played.at(-1)).toEqual({ turn: 2, ms: 100 });
  });

  test('an interruption holds there too', async () => {
    const all = await inMidAnswer();
    all.server.cutMedia();
    void all.client.interrupt();
    goOn(all.server);
    await pass(1000);
    expect(all.engine.player.played).toHaveLength(1);
    expect(all.server.heard).toContainEqual({ type: 'interrupt', turn: 1, played_ms: 300 });
  });

  test('is gone to at a pause, before the old one is left', async () => {
    const all = await inMidAnswer();
    all.server.say({ type: 'going_away', ends_in_ms: 90_000, move: true });
    await pass(100);
    expect(all.server.requests.filter((request) => request.type === 'resume')).toHaveLength(0);
    goOn(all.server);
    await pass(100);
    expect(all.server.requests.filter((request) => request.type === 'resume')).toHaveLength(1);
    expect(all.server.transport.openOn('media')).toHaveLength(1);
    expect(all.seen.reconnecting).toHaveLength(0);
    expect(all.seen.reconnected).toHaveLength(1);
    wholeAnswer(all, 9);
  });

  test('is told that the user is speaking, before what was said', async () => {
    const all = rig({ config: { turns: 'manual' } });
    void all.client.connect();
    await pass();
    all.client.talk.start();
    all.engine.microphone.speak(40);
    await pass();
    all.server.cutMedia();
    all.server.moveRelay();
    all.engine.microphone.speak(40);
    await pass(1000);
    const media = all.server.transport.openOn('media')[0];
    const order = orderOf(media);
    expect(order.slice(0, 4)).toEqual(['hello', 'start', 'frame', 'frame']);
  });

  test('is asked for when the first cannot be reached', async () => {
    const all = rig();
    all.server.refuses.media = 1;
    void all.client.connect();
    await pass(1000);
    expect(all.client.getSnapshot().status).toBe('connected');
    expect(all.server.requests.at(-1)).toMatchObject({ type: 'resume', media_failed: true });
  });
});

describe('a silent network', () => {
  test('is found out by pings, and left', async () => {
    const all = await inMidAnswer();
    const [media] = all.server.transport.openOn('media');
    if (media) media.onSend = null;
    await pass(12_000);
    expect(all.seen.reconnecting[0]?.[0].error.code).toBe('connection_lost');
    expect(all.client.getSnapshot().status).toBe('connected');
  });
});
