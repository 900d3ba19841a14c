import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ToolError, VoiceClient, type VoiceClientOptions } from '../../src/index.js';
import { pass, rig } from './rig.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function live(options: Partial<VoiceClientOptions> = {}) {
  const all = rig(options);
  void all.client.connect();
  await pass();
  expect(all.client.getSnapshot().status).toBe('connected');
  return all;
}

describe('connect', () => {
  test('is idempotent, and prepares audio before anything is awaited', async () => {
    const all = rig();
    const first = all.client.connect();
    expect(all.engine.events).not.toBeNull();
    expect(all.engine.microphone.options).not.toBeNull();
    expect(all.client.connect()).toBe(first);
    await pass();
    expect(await first).toEqual({ sessionId: 's1', resumed: false });
    expect(all.client.connect()).toBe(first);
    expect(all.server.requests).toHaveLength(1);
  });

  test('shows the stages of a cold start', async () => {
    const all = rig();
    const stages: unknown[] = [];
    all.client.on('statechange', ({ starting }) => starting && stages.push([starting.stage, starting.etaMs]));
    all.server.stages = ['admitted', 'relay', 'model'];
    void all.client.connect();
    await pass();
    expect(stages).toEqual([
      ['admitted', 9000],
      ['relay', 9000],
      ['model', 9000],
    ]);
    expect(all.client.getSnapshot().starting).toBeUndefined();
  });

  test('can be taken back', async () => {
    const all = rig();
    const stop = new AbortController();
    const joined = all.client.connect({ signal: stop.signal });
    stop.abort();
    await expect(joined).rejects.toMatchObject({ code: 'aborted' });
    expect(all.client.getSnapshot()).toMatchObject({ status: 'closed', mic: { status: 'off' } });
    expect(all.client.getSnapshot().error).toBeUndefined();
    expect(all.engine.microphone.isOpen).toBe(false);
  });

  test('says what the app wants', async () => {
    const all = await live({
      agent: 'concierge',
      config: { voice: 'Kore', language: undefined },
      metadata: { cart: '7' },
      tools: { look: { handler: () => 1, description: 'Looks.', timeoutMs: 500, scheduling: 'silent' } },
      app: { name: 'shop', version: '2' },
    });
    expect(all.server.requests[0]).toMatchObject({
      versions: [1],
      agent: 'concierge',
      config: { voice: 'Kore' },
      metadata: { cart: '7' },
      tools: [{ name: 'look', description: 'Looks.', timeout_ms: 500, scheduling: 'silent' }],
      client: { name: 'shop', version: '2' },
    });
  });

  test('goes on with a session after a page reload', async () => {
    const before = await live();
    before.engine.microphone.speak(100);
    await pass();
    const resume = before.client.resumeToken;
    const after = new VoiceClient({
      session: { url: 'wss://control.test', token: 'a.jwt' },
      transport: before.server.transport,
      audio: false,
    });
    void after.connect({ resume });
    await pass();
    expect(after.getSnapshot().status).toBe('connected');
    expect(before.client.getSnapshot()).toMatchObject({ status: 'failed', error: { code: 'superseded' } });
  });

  test('a lost start is made again with the same request', async () => {
    const all = rig();
    const serve = all.server.transport.onOpen;
    all.server.transport.onOpen = (socket) => {
      all.server.transport.onOpen = serve;
      socket.onSend = (item) => {
        all.server.requests.push(item as Record<string, unknown>);
        socket.cut();
      };
      socket.accept();
    };
    void all.client.connect();
    await pass(1000);
    expect(all.client.getSnapshot().status).toBe('connected');
    expect(all.server.requests[0]?.request).toBe(all.server.requests[1]?.request);
  });
});

describe('disconnect', () => {
  test('ends the session on media, and gives everything back', async () => {
    const all = await live();
    const gone = all.client.disconnect('hung up');
    await pass();
    await gone;
    expect(all.server.heard.at(-1)).toEqual({ type: 'end', reason: 'hung up' });
    expect(all.client.getSnapshot()).toMatchObject({ status: 'closed', agent: 'offline', mic: { status: 'off' } });
    expect(all.seen.close).toEqual([[{ by: 'client', reason: 'client' }]]);
    expect(all.engine.events).toBeNull();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('during a break ends it on control', async () => {
    const all = await live();
    all.server.cutMedia();
    const gone = all.client.disconnect();
    await pass(100);
    await gone;
    expect(all.server.requests.at(-1)).toEqual({ type: 'end', session: 's1' });
    await pass(5000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('does not wait for a server that says nothing', async () => {
    const all = await live();
    const [media] = all.server.transport.openOn('media');
    if (media) media.onSend = null;
    const gone = all.client.disconnect();
    await pass(2100);
    await gone;
    expect(all.client.getSnapshot().status).toBe('closed');
  });

  test('a new call can follow', async () => {
    const all = await live();
    void all.client.disconnect();
    await pass();
    void all.client.connect();
    await pass();
    expect(all.client.getSnapshot()).toMatchObject({ status: 'connected', messages: [] });
    expect(all.server.requests.filter(({ type }) => type === 'start')).toHaveLength(2);
  });
});

describe('an answer', () => {
  async function answering() {
    const all = await live();
    all.server.say({ type: 'turn.started', turn: 1, role: 'user' });
    all.server.say({ type: 'turn.ended', turn: 1, role: 'user' });
    expect(all.client.getSnapshot().agent).toBe('thinking');
    all.server.say({ type: 'turn.started', turn: 1, role: 'agent' });
    all.server.speak(1, 1000);
    all.server.say({ type: 'transcript', message: 'a1', turn: 1, role: 'agent', text: 'One two three' });
    all.engine.player.advance(400);
    expect(all.client.getSnapshot().agent).toBe('speaking');
    await pass();
    return all;
  }

  test('is reported as it is heard', async () => {
    const all = await answering();
    all.server.say({ type: 'turn.audio_end', turn: 1 });
    all.server.say({ type: 'turn.ended', turn: 1, role: 'agent' });
    all.engine.player.advance(600);
    await pass();
    expect(all.server.heard.filter(({ type }) => type === 'playback')).toMatchObject([
      { turn: 1, state: 'started', played_ms: 0, buffered_ms: 1000 },
      { turn: 1, state: 'progress', played_ms: 400, buffered_ms: 600 },
      { turn: 1, state: 'progress', played_ms: 1000, buffered_ms: 0 },
      { turn: 1, state: 'drained', played_ms: 1000 },
    ]);
    expect(all.client.getSnapshot().agent).toBe('listening');
    expect(all.seen.agentspeechend).toEqual([[{ turn: 1, playedMs: 1000, droppedMs: 0, interrupted: false }]]);
  });

  test.each(['empty', 'rejected', 'outsourced'])('that did not come is told at the question: %s', async (outcome) => {
    const all = await live();
    all.server.say({ type: 'transcript', message: 'u1', turn: 1, role: 'user', text: 'When?', final: true });
    all.server.say({ type: 'turn.ended', turn: 1, role: 'user' });
    all.server.say({ type: 'turn.ended', turn: 1, role: 'agent', outcome });
    await pass();
    expect(all.client.getSnapshot()).toMatchObject({ agent: 'listening', messages: [{ id: 'u1', outcome }] });
  });

  test('that broke off is told at both its messages', async () => {
    const all = await answering();
    all.server.say({ type: 'turn.ended', turn: 1, role: 'agent', outcome: 'lost' });
    await pass();
    expect(all.client.getSnapshot().messages).toMatchObject([{ id: 'a1', outcome: 'lost' }]);
  });

  test.each([undefined, 'completed', 'interrupted'])('that came has nothing to tell: %s', async (outcome) => {
    const all = await answering();
    all.server.say({ type: 'turn.ended', turn: 1, role: 'agent', outcome });
    await pass();
    expect(all.client.getSnapshot().messages[0]).not.toHaveProperty('outcome');
  });

  test('is stopped by the user speaking over it: what was heard is told', async () => {
    const all = await answering();
    all.server.say({ type: 'turn.started', turn: 2, role: 'user' });
    all.server.say({ type: 'turn.interrupted', turn: 1, cause: 'user' });
    all.server.speak(1, 500);
    await pass();
    all.server.say({ type: 'transcript', message: 'a1', turn: 1, role: 'agent', final: true, heard: 'One' });
    expect(all.engine.player.played).toHaveLength(1);
    expect(all.server.heard.at(-1)).toEqual({ type: 'playback', turn: 1, state: 'flushed', played_ms: 400 });
    expect(all.seen.interrupted).toEqual([[{ turn: 1, playedMs: 400, droppedMs: 600, cause: 'user' }]]);
    expect(all.client.getSnapshot().messages).toMatchObject([
      { id: 'a1', text: 'One two three', heard: 'One', interrupted: true, final: true },
    ]);
    expect(all.client.getSnapshot().agent).toBe('listening');
  });

  test('is stopped by the app: silence first, then the server', async () => {
    const all = await answering();
    const played = await all.client.interrupt();
    expect(played).toEqual({ turn: 1, playedMs: 400, droppedMs: 600 });
    await pass();
    expect(all.server.heard.slice(-2)).toEqual([
      { type: 'interrupt', turn: 1, played_ms: 400 },
      { type: 'playback', turn: 1, state: 'flushed', played_ms: 400 },
    ]);
    all.server.speak(1, 500);
    all.server.say({ type: 'turn.interrupted', turn: 1, cause: 'client' });
    await pass();
    expect(all.engine.player.played).toHaveLength(1);
    expect(all.seen.interrupted).toHaveLength(1);
    expect(await all.client.interrupt()).toBeNull();
  });
});

describe('what is written', () => {
  test('comes back as a message that was typed', async () => {
    const all = await live();
    await all.client.sendText('And in French?');
    expect(all.client.getSnapshot().agent).toBe('thinking');
    all.server.say({ type: 'transcript', message: 'u1', turn: 1, role: 'user', text: 'And in French?', final: true });
    expect(all.client.getSnapshot().messages).toMatchObject([
      { source: 'typed', role: 'user', text: 'And in French?' },
    ]);
    await all.client.sendText('first', { respond: false });
    await all.client.sendContext('It rains.');
    await all.client.sendImage({ data: Uint8Array.of(1, 2, 3, 4), mime: 'image/png' });
    await pass();
    expect(all.server.heard.slice(-3)).toEqual([
      { type: 'text', text: 'first', respond: false, n: 2 },
      { type: 'context', text: 'It rains.', n: 3 },
      { type: 'image', mime: 'image/png', data: 'AQIDBA==', n: 4 },
    ]);
  });

  test('is refused where the server would', async () => {
    const all = await live();
    await expect(all.client.sendText('')).rejects.toMatchObject({ code: 'bad_message' });
    await expect(all.client.sendText('x'.repeat(8001))).rejects.toMatchObject({ code: 'too_large' });
    await expect(all.client.sendText('👩'.repeat(8000))).resolves.toBeUndefined();
    const image = { data: new Uint8Array(716_801), mime: 'image/png' };
    await expect(all.client.sendImage(image)).rejects.toMatchObject({ code: 'too_large' });
    await expect(all.client.sendImage({ ...image, mime: 'image/gif' })).rejects.toMatchObject({ code: 'bad_message' });
    void all.client.disconnect();
    await pass();
    await expect(all.client.sendText('hello?')).rejects.toMatchObject({ code: 'not_connected' });
  });

  test('is refused here, not there, when it is more than the server takes, and soon taken again', async () => {
    const all = await live();
    for (let times = 0; times < 8; times += 1) await all.client.sendText('x'.repeat(8000), { respond: false });
    const image = { data: Uint8Array.of(1, 2, 3, 4), mime: 'image/png' };
    const refusal = { code: 'rate_limited', retryable: true, fatal: false, retryAfterMs: 4000 };
    await expect(all.client.sendText('y'.repeat(8000))).rejects.toMatchObject(refusal);
    await expect(all.client.sendContext('x')).rejects.toMatchObject({ code: 'rate_limited' });
    await expect(all.client.sendImage(image)).rejects.toMatchObject({ code: 'rate_limited' });
    await pass(4000);
    await all.client.sendContext('y'.repeat(8000));
    await expect(all.client.sendText('x')).rejects.toMatchObject({ code: 'rate_limited' });
    expect(all.client.getSnapshot().status).toBe('connected');
    const said = all.server.heard.filter(({ type }) => type === 'text' || type === 'context' || type === 'image');
    expect(said).toHaveLength(9);
  });

  test('needs no microphone, and no voice is sent', async () => {
    const all = await live({ audio: false, config: { language: 'de' } });
    expect(all.engine.events).toBeNull();
    expect(all.server.requests[0]).toMatchObject({ config: { reply: 'text', language: 'de' } });
    all.server.say({ type: 'turn.started', turn: 1, role: 'agent' });
    expect(all.client.getSnapshot().agent).toBe('speaking');
  });
});

test('both latencies of an answer are in the snapshot at once: nobody takes one for another answer’s', async () => {
  const all = await live();
  const seen: [number | undefined, number | undefined][] = [];
  all.client.on('statechange', ({ metrics }, before) => {
    if (metrics.server !== before.metrics.server) seen.push([metrics.server?.firstAudioMs, metrics.responseMs]);
  });
  all.server.say({ type: 'turn.started', turn: 1, role: 'agent' });
  all.server.speak(1, 200);
  await pass(50);
  all.engine.player.advance(100);
  all.server.say({ type: 'metrics', turn: 1, first_audio_ms: 300, generation_ms: 100, audio_ms: 200 });
  expect(seen).toEqual([[300, 350]]);
});

describe('tools', () => {
  const call = (name: string, fields = {}) => ({
    type: 'tool.call',
    call_id: name,
    name,
    deadline_ms: 1000,
    ...fields,
  });
  const results = (all: Awaited<ReturnType<typeof live>>) =>
    all.server.heard.filter(({ type }) => type === 'tool.result');

  test('answer, refuse, fail and are missing, each in its own words', async () => {
    const tools = {
      good: ({ city }: { city: string }) => ({ city, celsius: 21 }),
      refuses: () => Promise.reject(new ToolError('Only for members.')),
      throws: () => Promise.reject(new Error('password is hunter2')),
      large: () => 'x'.repeat(70_000),
      checked: {
        validate: () => {
          throw new ToolError('No city.');
        },
        handler: () => 1,
      },
    };
    const all = await live({ tools });
    for (const name of [...Object.keys(tools), 'toString']) all.server.say(call(name, { args: { city: 'Bern' } }));
    await pass();
    expect(Object.fromEntries(results(all).map(({ call_id, data, error }) => [call_id, data ?? error]))).toEqual({
      good: { city: 'Bern', celsius: 21 },
      refuses: 'Only for members.',
      throws: 'The tool failed.',
      large: 'The tool’s result is too large.',
      checked: 'No city.',
      toString: 'There is no tool of that name.',
    });
  });

  test('are aborted when the model withdraws the call, and say nothing', async () => {
    let signal: AbortSignal | undefined;
    const all = await live({
      tools: {
        slow: (_, call) =>
          new Promise(() => {
            signal = call.signal;
          }),
      },
    });
    all.server.say(call('slow'));
    all.server.say({ type: 'tool.cancel', call_ids: ['slow', 'other'] });
    await pass(2000);
    expect(signal?.aborted).toBe(true);
    expect(results(all)).toEqual([]);
    expect(all.client.getSnapshot().messages).toMatchObject([{ kind: 'tool', status: 'cancelled' }]);
    expect(all.seen.toolcancel).toEqual([[['slow', 'other']]]);
    all.server.answer({ type: 'error', code: 'call_unknown', message: '!', ref: 'slow' });
    expect(all.seen.error).toEqual([]);
  });

  test('that cannot be read are left alone', async () => {
    const all = await live({ tools: { look: () => 1 } });
    for (const wrong of [{ name: 7 }, { args: 'x' }]) all.server.say({ ...call('look'), ...wrong } as never);
    all.server.say({ type: 'tool.cancel', call_ids: 'look' } as never);
    await pass(10);
    expect(results(all)).toEqual([]);
    expect(all.seen.toolcancel).toEqual([]);
  });

  test('are aborted at their deadline, and the model hears of it', async () => {
    const all = await live({ tools: { slow: () => new Promise(() => {}) } });
    all.server.say(call('slow'));
    await pass(1100);
    expect(results(all)).toMatchObject([{ ok: false, error: 'The tool did not answer in time.' }]);
  });

  test('of the session are aborted with it', async () => {
    let signal: AbortSignal | undefined;
    const all = await live({
      tools: {
        slow: (_, call) =>
          new Promise(() => {
            signal = call.signal;
          }),
      },
    });
    all.server.say(call('slow', { deadline_ms: 100_000 }));
    void all.client.disconnect();
    await pass();
    expect(signal?.aborted).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the microphone', () => {
  test('is not opened until the app says so, when it wants that', async () => {
    const engineOf = rig();
    const all = await live({ audio: { engine: engineOf.engine, mic: { start: 'manual' } } });
    expect(engineOf.engine.microphone.options).toBeNull();
    await all.client.mic.enable();
    engineOf.engine.microphone.speak(40);
    await pass();
    expect(all.server.uplink).toEqual([0, 1]);
  });

  test('is told muted, and nothing is sent meanwhile', async () => {
    const all = await live();
    all.engine.microphone.speak(40);
    all.client.mic.setMuted(true);
    all.engine.microphone.speak(40);
    all.client.mic.setMuted(false);
    all.engine.microphone.speak(40);
    await pass();
    expect(all.server.heard.filter(({ type }) => type === 'mic').map(({ state }) => state)).toEqual([
      'open',
      'paused',
      'open',
    ]);
    expect(all.server.uplink).toEqual([0, 1, 2, 3]);
  });

  /** What the server was told of it. */
  const said = ({ server }: Awaited<ReturnType<typeof live>>) =>
    server.heard.filter(({ state }) => state).map(({ type, state }) => `${type} ${state}`);

  test('push-to-talk under auto is open and paused, under manual activity', async () => {
    const one = rig();
    const auto = await live({ audio: { engine: one.engine, mic: { mode: 'push-to-talk' } } });
    one.engine.microphone.speak(40);
    auto.client.talk.start();
    one.engine.microphone.speak(40);
    auto.client.talk.stop();
    await pass();
    expect(said(auto)).toEqual([
      'mic paused',
      'mic open',
      'mic paused',
    ]);
    expect(auto.server.uplink).toHaveLength(2);
    const manual = await live({ config: { turns: 'manual' } });
    manual.client.talk.start();
    manual.engine.microphone.speak(40);
    manual.client.talk.stop();
    await pass();
    expect(said(manual)).toEqual([
      'activity start',
      'activity end',
    ]);
    expect(manual.client.getSnapshot().agent).toBe('thinking');
  });

  test('that is lost is said, and the call goes on', async () => {
    const all = await live();
    const { VoiceError } = await import('../../src/index.js');
    all.engine.microphone.events.failed(new VoiceError('mic_lost'));
    await pass();
    expect(all.client.getSnapshot()).toMatchObject({
      status: 'connected',
      mic: { status: 'error', error: { code: 'mic_lost' } },
    });
    expect(all.server.heard.at(-1)).toEqual({ type: 'mic', state: 'closed' });
  });

  test('taken away by a phone call is paused, and comes back', async () => {
    const all = await live();
    all.engine.microphone.events.paused(true);
    expect(all.client.getSnapshot().mic.status).toBe('paused');
    all.engine.microphone.events.paused(false);
    await pass();
    expect(all.server.heard.filter(({ type }) => type === 'mic').map(({ state }) => state)).toEqual([
      'open',
      'paused',
      'open',
    ]);
  });
});

test('no secret is shown to a listener of wire', async () => {
  const all = await live();
  all.server.cutMedia();
  await pass(1000);
  const shown = JSON.stringify(all.seen.wire);
  expect(shown).not.toMatch(/ticket\d|key-\d|a\.jwt/);
  expect(shown).toContain('"resume"');
});

test('a listener that throws harms no other', async () => {
  const all = rig();
  const thrown: unknown[] = [];
  vi.stubGlobal('queueMicrotask', (act: () => void) =>
    Promise.resolve()
      .then(act)
      .catch((error) => thrown.push(error)),
  );
  all.client.on('statechange', () => {
    throw new Error('the app’s own');
  });
  void all.client.connect();
  await pass();
  vi.unstubAllGlobals();
  expect(all.client.getSnapshot().status).toBe('connected');
  expect(thrown.length).toBeGreaterThan(0);
});

test('what an answer is founded on is told to the app, and nothing that is not whole', async () => {
  const all = await live();
  const sources = [{ url: 'https://a.example', title: 'A' }];
  all.server.say({ type: 'citation', turn: 1, sources, html: '<div>A</div>' });
  all.server.say({ type: 'citation', turn: 2, sources: [{ title: 'A' }] } as never);
  await pass(10);
  expect(all.seen.citation).toEqual([[{ turn: 1, sources, html: '<div>A</div>' }]]);
});

test('a budget that is nearly used up is told to the app, and what the session costs is in the snapshot', async () => {
  const all = await live();
  all.server.say({ type: 'budget', scope: 'user', used_percent: 80, resets_in_ms: 60_000 });
  all.server.say({ type: 'budget', scope: 'session' } as never);
  all.server.say({ type: 'usage', turn: 1, tokens: { total: 75 }, cost_micro_usd: 675, estimated: true });
  await pass(10);
  expect(all.seen.budget).toEqual([[{ scope: 'user', usedPercent: 80, resetsInMs: 60_000 }]]);
  expect(all.client.getSnapshot().usage).toMatchObject({ cost_micro_usd: 675, estimated: true });
});
