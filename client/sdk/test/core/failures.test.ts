import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import '../../src/advice/index.js';
import { VoiceError } from '../../src/index.js';
import { RESUMABLE_CODES } from '../../src/protocol/tables.js';
import { pass, rig } from './rig.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

type Rig = ReturnType<typeof rig>;

async function refusal({ client }: Rig, ms = 0): Promise<VoiceError> {
  const joined = client.connect();
  joined.catch(() => {});
  await pass(ms);
  const error = await joined.then(() => null).catch((thrown: VoiceError) => thrown);
  expect(error).toBeInstanceOf(VoiceError);
  return error as VoiceError;
}

describe('each failure has its own code, and a sentence to act on', () => {
  const local = ['mic_denied', 'mic_not_found', 'mic_in_use', 'insecure_context'] as const;
  test.each(local)('%s: the call is given up, and the session with it', async (code) => {
    const all = rig();
    all.engine.microphone.open = () => sleep(50).then(() => Promise.reject(new VoiceError(code)));
    const error = await refusal(all, 100);
    expect(error.code).toBe(code);
    expect(error.fatal).toBe(true);
    const state = all.client.getSnapshot();
    expect(state).toMatchObject({ status: 'failed', agent: 'offline', error: { code }, mic: { status: 'error' } });
    expect(all.server.requests.at(-1)).toEqual({ type: 'end', session: 's1' });
  });

  test('worklet_blocked: by the page’s CSP', async () => {
    const all = rig();
    all.engine.failure = new VoiceError('worklet_blocked', '', { fatal: true });
    const error = await refusal(all, 100);
    expect(error.code).toBe('worklet_blocked');
    expect(error.advice).toContain('security policy');
  });

  test('too_large: a start above 32 KiB of UTF-8 is refused before it is sent', async () => {
    const description = 'é'.repeat(1024);
    const tool = (_: unknown, number: number) => [`tool_${number}`, { description, handler: () => null }];
    const all = rig({ tools: Object.fromEntries(Array.from({ length: 16 }, tool)) });
    const error = await refusal(all);
    expect(error).toMatchObject({ code: 'too_large', ref: 'start', retryable: false });
    expect(all.server.requests).toEqual([]);
  });

  test('quota_sessions: the open sessions are listed, and one of them can be ended', async () => {
    const left = { session: 's-left', agent: 'assistant', since: 1_700_000_000_000 };
    const all = rig();
    all.server.controlErrors.push({ code: 'quota_sessions', retryable: true, retry_after_ms: 90_000, sessions: [left] });
    const error = await refusal(all);
    expect(error).toMatchObject({ retryAfterMs: 90_000, sessions: [{ ...left, connected: false }] });
    await all.client.endSession('s-left');
    expect(all.server.requests.at(-1)).toEqual({ type: 'end', session: 's-left' });
    expect(all.client.getSnapshot().status).toBe('failed'); // of the call, which that was not
    all.server.controlErrors.push({ code: 'session_unknown', retryable: false });
    await expect(all.client.endSession('s-gone')).rejects.toMatchObject({ code: 'session_unknown' });
  });

  test('capacity: the server is full', async () => {
    const all = rig();
    all.server.controlErrors.push({ code: 'capacity', retryable: true, retry_after_ms: 3000 });
    const error = await refusal(all);
    expect(error).toMatchObject({ code: 'capacity', retryable: true, retryAfterMs: 3000 });
    expect(error.advice).toBe('All lines are busy. Try again in a moment.');
    expect(all.client.getSnapshot().status).toBe('failed');
  });

  test('protocol_mismatch: on control and on media', async () => {
    const onControl = rig();
    onControl.server.controlErrors.push({ code: 'protocol_mismatch', retryable: false });
    expect((await refusal(onControl)).advice).toContain('out of date');
    const onMedia = rig();
    onMedia.server.mediaErrors.push({ error: { code: 'protocol_mismatch', retryable: false }, close: 4406 });
    expect(await refusal(onMedia, 1000)).toMatchObject({ code: 'protocol_mismatch', retryable: false, fatal: true });
  });

  test('an expired ticket is replaced without a word', async () => {
    const all = rig();
    all.server.mediaErrors.push({ error: { code: 'ticket_expired', retryable: true }, close: 4401 });
    const joined = all.client.connect();
    await pass(1000);
    await joined;
    expect(all.seen.reconnecting[0]?.[0].error.code).toBe('ticket_expired');
    expect(all.seen.error).toHaveLength(0);
    const tickets = all.server.transport.sockets.flatMap(({ road, protocols }) =>
      road === 'media' ? protocols[1] : [],
    );
    expect(new Set(tickets).size).toBe(2);
  });

  test('an expired token is replaced once', async () => {
    const reasons: string[] = [];
    const all = rig({
      session: { url: 'wss://control.test', token: ({ reason }) => `a.jwt${reasons.push(reason)}` },
    });
    all.server.controlErrors.push({ code: 'auth_expired', retryable: true });
    void all.client.connect();
    await pass(100);
    expect(all.client.getSnapshot().status).toBe('connected');
    expect(reasons).toEqual(['connect', 'refresh']);
  });

  test('a fixed token that has expired is not tried again', async () => {
    const all = rig({ session: { url: 'wss://control.test', token: 'a.jwt' } });
    all.server.controlErrors.push({ code: 'auth_expired', retryable: true });
    expect(await refusal(all)).toMatchObject({ code: 'auth_expired', retryable: false });
    expect(all.server.requests).toHaveLength(1);
  });

  test('token_failed, connect_failed, connect_timeout', async () => {
    const thrower = () => Promise.reject(new Error('401 from our own server'));
    const noToken = await refusal(rig({ session: { url: 'wss://control.test', token: thrower } }));
    expect(noToken).toMatchObject({ code: 'token_failed', advice: 'You are not signed in any more. Sign in again.' });
    const down = rig();
    down.server.refuses.control = 100;
    expect((await refusal(down)).code).toBe('connect_failed');
    const deaf = rig({ connectTimeoutMs: 5000 });
    deaf.server.transport.onOpen = (socket) => socket.accept();
    expect((await refusal(deaf, 6000)).code).toBe('connect_timeout');
  });

  test('a token that no handshake can carry never leaves the client', async () => {
    const all = rig({ session: { url: 'wss://control.test', token: 'not a token' } });
    expect((await refusal(all)).code).toBe('auth_invalid');
    expect(all.server.transport.sockets).toHaveLength(0);
  });
});

describe('a session that cannot go on', () => {
  async function live(): Promise<Rig> {
    const all = rig();
    void all.client.connect();
    await pass();
    return all;
  }

  test('was taken over in another window', async () => {
    const all = await live();
    all.server.cutMedia(4409);
    await pass(100);
    expect(all.client.getSnapshot()).toMatchObject({ status: 'failed', error: { code: 'superseded' } });
    expect(all.server.requests.filter(({ type }) => type === 'resume')).toHaveLength(0);
  });

  test('has reached its longest duration', async () => {
    const all = await live();
    all.server.say({ type: 'error', code: 'session_limit', message: '!', fatal: true });
    all.server.say({ type: 'ended', reason: 'session_limit' });
    await pass(100);
    expect(all.client.getSnapshot()).toMatchObject({ status: 'failed', error: { code: 'session_limit' } });
    expect(all.seen.close[0]?.[0]).toMatchObject({ by: 'server', reason: 'session_limit' });
  });

  test('ends of "later" errors with `ended` are ends', async () => {
    const all = await live();
    all.server.say({ type: 'error', code: 'upstream_quota', message: '!', fatal: true, retryable: true });
    all.server.say({ type: 'ended', reason: 'upstream_quota' });
    await pass(1000);
    expect(all.client.getSnapshot()).toMatchObject({
      status: 'failed',
      error: { code: 'upstream_quota', retryable: true },
    });
  });

  test.each(RESUMABLE_CODES)('%s with `ended` ended that relay’s part: control has the session', async (code) => {
    const all = await live();
    all.server.say({ type: 'error', code, message: '!', fatal: true, retryable: true });
    all.server.say({ type: 'ended', reason: code });
    await pass(1000);
    expect(all.server.requests.at(-1)).toMatchObject({ type: 'resume' });
    expect(all.client.getSnapshot().status).toBe('connected');
  });

  test('says why it ended when control knows it no more', async () => {
    const all = await live();
    all.server.controlErrors.push({ code: 'session_ended', retryable: false });
    all.server.say({ type: 'error', code: 'slow_client', message: '!', fatal: true, retryable: true });
    all.server.say({ type: 'ended', reason: 'slow_client' });
    await pass(1000);
    expect(all.server.controlErrors).toEqual([]);
    expect(all.client.getSnapshot().error?.code).toBe('slow_client');
  });

  test('is asked for again at once when API Gateway says that the function has failed', async () => {
    const all = await live();
    all.server.controlErrors.push({ message: 'Internal server error', connectionId: 'c', requestId: 'r' });
    all.server.cutMedia();
    await pass(1000);
    expect(all.server.requests.slice(-2)).toMatchObject([{ type: 'resume' }, { type: 'resume' }]);
    expect(all.client.getSnapshot().status).toBe('connected');
  });

  test('is given up when the server has stopped waiting', async () => {
    const all = await live();
    all.server.refuses.control = 1000;
    all.server.cutMedia();
    await pass(130_000);
    expect(all.client.getSnapshot()).toMatchObject({
      status: 'failed',
      error: { code: 'connect_failed', fatal: true },
    });
    expect(all.seen.reconnecting.length).toBeGreaterThan(10);
    expect(Math.max(...all.seen.reconnecting.map(([info]) => info.delayMs))).toBeLessThanOrEqual(8000);
  });

  test('is not resumed when the app says so', async () => {
    const all = rig({ reconnect: false });
    void all.client.connect();
    await pass();
    all.server.cutMedia();
    await pass(100);
    expect(all.client.getSnapshot()).toMatchObject({ status: 'failed', error: { code: 'connection_lost' } });
  });

  test('waits as long as the server asks', async () => {
    const all = await live();
    all.server.say({
      type: 'error',
      code: 'rate_limited',
      message: '!',
      fatal: true,
      retryable: true,
      retry_after_ms: 4000,
    });
    all.server.cutMedia(4429);
    await pass(3900);
    expect(all.client.getSnapshot().status).toBe('reconnecting');
    await pass(400);
    expect(all.client.getSnapshot().status).toBe('connected');
  });

  test('no relay can be had for a resume: the session waits for the next try', async () => {
    const all = await live();
    all.server.controlErrors.push({ code: 'capacity', retryable: true, fatal: false, retry_after_ms: 1000 });
    all.server.cutMedia();
    await pass(3000);
    expect(all.client.getSnapshot().status).toBe('connected');
  });
});

test('a session that was admitted and got no relay is opened anew, whose replies count from 1', async () => {
  const all = rig();
  const serve = all.server.transport.onOpen;
  all.server.transport.onOpen = (socket) => {
    all.server.transport.onOpen = serve;
    socket.onSend = () => {
      const common = { type: 'starting', session: 's0', resume_key: 'key-of-s0-0123456789', eta_ms: 0 };
      socket.receive({ ...common, stage: 'admitted', i: 1 });
      socket.receive({ ...common, stage: 'relay', i: 8 });
      socket.receive({ type: 'error', code: 'capacity', message: '!', retryable: true, fatal: true, i: 9 });
    };
    socket.accept();
  };
  void all.client.connect();
  await pass(3000);
  expect(all.client.getSnapshot()).toMatchObject({ status: 'connected', sessionId: 's1' });
});

test('a call may be tried again from within what its failure sets off', async () => {
  const all = rig();
  all.server.controlErrors.push({ code: 'capacity', retryable: true });
  let again: Promise<unknown> | undefined;
  all.client.on('close', () => {
    again ??= all.client.connect();
  });
  const error = await refusal(all);
  await pass(100);
  expect(error.code).toBe('capacity');
  await expect(again).resolves.toEqual({ sessionId: 's1', resumed: false });
});

test('the end of one call is not the end of the next, which began within what that set off', async () => {
  const all = rig();
  all.server.controlErrors.push({ code: 'capacity' });
  let again: Promise<unknown> | undefined;
  all.client.on('statechange', ({ status }) => {
    if (status === 'failed') again ??= all.client.connect();
  });
  const first = all.client.connect();
  await expect(Promise.all([first, pass(100)])).rejects.toMatchObject({ code: 'capacity' });
  await expect(again).resolves.toEqual({ sessionId: 's1', resumed: false });
  expect(all.client.getSnapshot().status).toBe('connected');
});

test('hostile messages harm nothing, and are counted', async () => {
  const all = rig();
  void all.client.connect();
  await pass();
  const [media] = all.server.transport.openOn('media');
  for (const text of [
    '',
    '{',
    '[]',
    'null',
    '{"type":5}',
    '{"type":"__proto__"}',
    '{"type":"live"}',
    '{"type":"toString"}',
  ])
    media?.receive(text);
  media?.receive(new ArrayBuffer(3));
  media?.receive(`{"type":"transcript","message":"${'x'.repeat(1e6)}"}`);
  await pass(1000);
  expect(all.client.getSnapshot()).toMatchObject({ status: 'connected', metrics: { ignored: 10 } });
});
