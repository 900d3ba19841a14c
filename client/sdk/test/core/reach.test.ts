// `media_failed` is for a relay that could not be reached: the server then starts another one for it.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { pass, rig } from './rig.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

type Rig = ReturnType<typeof rig>;

/** What the resumes said of the relay before. */
function resumes({ server }: Rig): unknown[] {
  return server.requests.filter(({ type }) => type === 'resume').map(({ media_failed }) => media_failed);
}

/** The relay accepts the socket and is live `ms` later: it may be getting a credential. */
function liveAfter({ server }: Rig, ms: number): void {
  const serve = server.transport.onOpen;
  server.transport.onOpen = (socket) => {
    const receive = socket.receive.bind(socket);
    socket.receive = (item) => {
      const isLive = (item as { type?: string }).type === 'live';
      if (isLive) setTimeout(() => receive(item), ms);
      else receive(item);
    };
    serve?.(socket);
  };
}

test.each([25_000, 44_000])('a relay that takes %d ms to be live is waited for', async (ms) => {
  const all = rig();
  liveAfter(all, ms);
  void all.client.connect();
  await pass(ms + 1000);
  expect(resumes(all)).toEqual([]);
  expect(all.client.getSnapshot().status).toBe('connected');
});

test('a relay that was reached and says nothing for 45 s is left, and not called unreachable', async () => {
  const all = rig();
  liveAfter(all, 600_000);
  all.client.connect().catch(() => {});
  await pass(60_000);
  expect(resumes(all)).toEqual([false]);
});

test('a relay that closes before it was live was reached', async () => {
  const all = rig();
  liveAfter(all, 600_000);
  all.client.connect().catch(() => {});
  await pass();
  for (const socket of all.server.transport.openOn('media')) socket.cut(1011);
  await pass(1000);
  expect(resumes(all)).toEqual([false]);
});

test('a handshake that fails is a relay that cannot be reached', async () => {
  const all = rig();
  all.server.refuses.media = 1;
  void all.client.connect();
  await pass(1000);
  expect(resumes(all)).toEqual([true]);
  expect(all.client.getSnapshot().status).toBe('connected');
});

test('an unanswered handshake is a relay that cannot be reached', async () => {
  const all = rig();
  const serve = all.server.transport.onOpen;
  let isFirst = true;
  all.server.transport.onOpen = (socket) => {
    if (socket.road === 'media' && isFirst) isFirst = false;
    else serve?.(socket);
  };
  void all.client.connect();
  await pass(11_000);
  expect(resumes(all)).toEqual([true]);
});

test('a handshake that fails because the page slept longer than its ticket lasts says nothing of the relay', async () => {
  const all = rig();
  const serve = all.server.transport.onOpen;
  let isFirst = true;
  all.server.transport.onOpen = (socket) => {
    if (socket.road !== 'media' || !isFirst) return serve?.(socket);
    isFirst = false;
    vi.setSystemTime(Date.now() + 61_000); // frozen: no timer runs meanwhile
    socket.cut();
  };
  void all.client.connect();
  await pass(1000);
  expect(resumes(all)).toEqual([false]);
});
