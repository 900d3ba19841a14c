// The control road opened before the click: what a call gains by it, and that nothing else shows.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { INITIAL } from '../../src/state.js';
import type { FakeSocket } from '../../src/testing/index.js';
import { expectLive, onControl, watched } from './early.js';
import { pass, rig } from './rig.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('prepare()', () => {
  test('fetches the token and opens the control road; connect() sends at once and asks for neither', async () => {
    const all = watched();
    await all.client.prepare();
    expect(all.asked).toEqual(['connect']);
    expect(all.server.transport.openOn('control')).toHaveLength(1);
    expect(all.server.requests).toEqual([]);
    void all.client.connect();
    await expectLive(all, 1);
    expect(all.asked).toEqual(['connect']);
    expect(all.server.requests.map(({ type }) => type)).toEqual(['start']);
    expect(all.server.transport.openOn('control')).toEqual([]); // nothing more is said there
  });

  test('is not seen: no state, no event, no sound, no microphone', async () => {
    const all = watched();
    const changes = vi.fn();
    all.client.on('statechange', changes);
    await all.client.prepare();
    expect(all.client.getSnapshot()).toEqual(INITIAL);
    expect(changes).not.toHaveBeenCalled();
    expect(all.engine.events).toBeNull();
    expect(all.engine.microphone.isOpen).toBe(false);
    expect(all.seen.wire).toEqual([]);
  });

  test('over and over is one connection', async () => {
    const all = watched();
    await Promise.all([all.client.prepare(), all.client.prepare(), all.client.prepare()]);
    await all.client.prepare();
    expect(onControl(all)).toHaveLength(1);
    expect(all.asked).toHaveLength(1);
  });

  test('during a call does nothing', async () => {
    const all = watched();
    void all.client.connect();
    await expectLive(all, 1);
    await all.client.prepare();
    await expectLive(all, 1);
    void all.client.disconnect();
    await pass();
    await all.client.prepare(); // and after it again what it should
    expect(all.server.transport.openOn('control')).toHaveLength(1);
  });

  test('serves a resume after a reload as well', async () => {
    const all = watched();
    await all.client.prepare();
    void all.client.connect({ resume: 's1.key-0123456789abcdef' });
    await expectLive(all, 1);
    expect(all.server.requests.map(({ type }) => type)).toEqual(['resume']);
  });

  test('with a fixed token and without one', async () => {
    const fixed = rig({ session: { url: 'wss://control.test', token: 'a.jwt' } });
    await fixed.client.prepare();
    void fixed.client.connect();
    await expectLive(fixed, 1);
    const none = rig({ session: { url: 'wss://control.test', token: '' } });
    await none.client.prepare();
    await expect(none.client.connect()).rejects.toMatchObject({ code: 'bad_options' });
  });
});

describe('connect() while it is prepared', () => {
  test('waits for the token that is being fetched', async () => {
    let answer: (token: string) => void = () => {};
    const all = watched([new Promise<string>((resolve) => (answer = resolve))]);
    void all.client.prepare();
    await pass();
    void all.client.connect();
    await pass(100);
    expect(onControl(all)).toHaveLength(0);
    answer('a.jwt');
    await expectLive(all, 1);
    expect(all.asked).toHaveLength(1);
  });

  test('waits for the handshake', async () => {
    const all = watched();
    const serve = all.server.transport.onOpen;
    all.server.transport.onOpen = null;
    void all.client.prepare();
    await pass();
    void all.client.connect();
    await pass();
    const [socket] = onControl(all);
    expect(socket?.messages).toEqual([]);
    all.server.transport.onOpen = serve;
    serve?.(socket as FakeSocket);
    await expectLive(all, 1);
  });

  test('opens its own when the token or the handshake fails after all', async () => {
    const rejected = watched([new Promise<string>((_, reject) => setTimeout(reject, 100)), 'b.jwt']);
    void rejected.client.prepare();
    await pass();
    void rejected.client.connect();
    await expectLive(rejected, 1);
    expect(rejected.asked).toEqual(['connect', 'connect']);

    const refused = watched();
    const serve = refused.server.transport.onOpen;
    refused.server.transport.onOpen = null;
    void refused.client.prepare();
    await pass();
    void refused.client.connect();
    await pass();
    refused.server.transport.onOpen = serve;
    onControl(refused)[0]?.cut();
    await expectLive(refused, 2);
    await pass(60_000);
    await expectLive(refused, 2); // and nothing of the first is left to break it
  });

  test('opens its own when the code of prepare() has not come yet', async () => {
    const all = watched();
    void all.client.prepare();
    void all.client.connect();
    await expectLive(all, 1);
  });

  test('that is given up leaves the road to the next one', async () => {
    const all = watched();
    await all.client.prepare();
    const giveUp = new AbortController();
    const first = all.client.connect({ signal: giveUp.signal });
    giveUp.abort();
    await expect(first).rejects.toMatchObject({ code: 'aborted' });
    void all.client.connect();
    await expectLive(all, 1);
    expect(all.asked).toHaveLength(1);
  });
});
