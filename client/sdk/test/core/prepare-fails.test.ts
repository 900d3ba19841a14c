// A control road that was opened early and fails, goes or is not wanted: nobody hears of it, and nothing stays open.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { expectLive, expiring, onControl, watched } from './early.js';
import { pass, rig } from './rig.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('what fails in prepare()', () => {
  test.each([
    ['token_failed', ['', new Error('401')]],
    ['auth_invalid', ['not a token', 'not a token']],
  ])('is silent (%s): connect() tries anew, and tells', async (code, tokens) => {
    const all = watched([...tokens]);
    await all.client.prepare();
    expect(all.seen.error).toEqual([]);
    expect(all.client.getSnapshot().status).toBe('idle');
    const call = all.client.connect();
    await Promise.all([expect(call).rejects.toMatchObject({ code }), pass(1000)]);
    expect(all.asked.length).toBeGreaterThan(1);
    expect(all.seen.error).toHaveLength(1);
  });

  test('a refused handshake is silent too, and is not tried again at every move of the pointer', async () => {
    const all = watched();
    all.server.refuses.control = 1;
    for (let times = 0; times < 5; times += 1) await all.client.prepare();
    expect(onControl(all)).toHaveLength(1);
    await pass(10_000);
    await all.client.prepare();
    expect(all.server.transport.openOn('control')).toHaveLength(1);
    void all.client.connect();
    await expectLive(all, 2);
  });

  test('a platform that takes no such URL says so at connect()', async () => {
    const open = () => {
      throw new SyntaxError('no such URL');
    };
    const { client } = watched(['a.jwt'], { transport: { open } });
    await client.prepare();
    await expect(client.connect()).rejects.toMatchObject({ code: 'bad_options' });
  });

  test('a handshake that is never answered is given up', async () => {
    const all = watched();
    all.server.transport.onOpen = null;
    void all.client.prepare();
    await pass(10_000);
    expect(onControl(all)[0]?.isClosed).toBe(true);
  });
});

describe('a prepared road that is gone at the click', () => {
  test('closed by the server: another is opened, and nothing tells', async () => {
    const all = watched();
    await all.client.prepare();
    all.server.cutControl();
    void all.client.connect();
    await expectLive(all, 2);
    expect(all.seen.reconnecting).toEqual([]);
  });

  test('dead without a word: the same request goes on another one after 8 s', async () => {
    const all = watched();
    await all.client.prepare();
    const [dead] = onControl(all);
    if (dead) dead.onSend = null;
    void all.client.connect();
    await pass(7_900);
    expect(onControl(all)).toHaveLength(1);
    await pass(100);
    await expectLive(all, 2);
    expect(all.server.requests[0]?.request).toBe(dead?.messages[0]?.request);
    expect(dead?.isClosed).toBe(true);
  });

  test('answered late, it is not given up', async () => {
    const all = watched();
    await all.client.prepare();
    const [slow] = onControl(all);
    const answer = slow?.onSend;
    if (slow) slow.onSend = (item) => void setTimeout(() => answer?.(item), 7_000);
    void all.client.connect();
    await pass(7_000);
    await expectLive(all, 1);
    await pass(60_000);
    await expectLive(all, 1);
  });

  test('refused at `start` for its token: another is fetched, once', async () => {
    const all = watched(['old.jwt', 'new.jwt']);
    await all.client.prepare();
    all.server.controlErrors.push({ code: 'auth_expired', retryable: true });
    void all.client.connect();
    await expectLive(all, 2);
    expect(all.asked).toEqual(['connect', 'refresh']);
  });

  test('with a token that expires meanwhile: closed in time, and connect() fetches another', async () => {
    const all = watched([expiring(60), 'new.jwt']);
    await all.client.prepare();
    await pass(54_000);
    expect(all.server.transport.openOn('control')).toHaveLength(1);
    await pass(1_000);
    expect(all.server.transport.openOn('control')).toHaveLength(0);
    void all.client.connect();
    await expectLive(all, 2);
    expect(all.asked).toEqual(['connect', 'connect']);
  });

  test('a clock that is ahead does not make every token too old', async () => {
    const all = watched([expiring(-3600)]);
    await all.client.prepare();
    void all.client.connect();
    await expectLive(all, 1);
  });

  test('kept over a sleep of the machine, in which no timer ran', async () => {
    const all = watched();
    await all.client.prepare();
    vi.setSystemTime(Date.now() + 3_600_000);
    void all.client.connect();
    await expectLive(all, 2);
    expect(onControl(all)[0]?.isClosed).toBe(true);
  });

  test('opened for another URL or another fixed token than the call asks for', async () => {
    for (const session of [
      { url: 'wss://other.test', token: 'a.jwt' },
      { url: 'wss://control.test', token: 'b.jwt' },
    ]) {
      const all = rig({ session: { url: 'wss://control.test', token: 'a.jwt' } });
      await all.client.prepare();
      all.client.update({ session });
      void all.client.connect();
      await expectLive(all, 2);
      await all.client.disconnect();
      expect(onControl(all).map(({ isClosed }) => isClosed)).toEqual([true, true]);
    }
  });
});

describe('nothing stays open', () => {
  test('for longer than two minutes, or as the app says; each prepare() begins that anew', async () => {
    const all = watched();
    await all.client.prepare();
    await pass(119_000);
    await all.client.prepare();
    await pass(119_000);
    expect(all.server.transport.openOn('control')).toHaveLength(1);
    await pass(1_000);
    expect(all.server.transport.openOn('control')).toHaveLength(0);
    expect(all.asked).toHaveLength(1);

    const brief = watched(['a.jwt'], { prepareTimeoutMs: 5000 });
    await brief.client.prepare();
    await pass(5000);
    expect(brief.server.transport.openOn('control')).toHaveLength(0);
  });

  test.each(['disconnect', 'dispose'] as const)('after %s()', async (leave) => {
    const all = watched();
    await all.client.prepare();
    await all.client[leave]();
    expect(all.server.transport.openOn('control')).toHaveLength(0);
    expect(all.client.getSnapshot()).toMatchObject({ status: 'idle' });
  });

  test('after dispose() in the middle of prepare(), wherever it is', async () => {
    for (let steps = 0; steps < 12; steps += 1) {
      const all = watched();
      void all.client.prepare();
      for (let step = 0; step < steps; step += 1) await Promise.resolve();
      void all.client.dispose();
      await pass(100);
      expect(onControl(all).filter(({ isClosed }) => !isClosed)).toEqual([]);
    }
  });

  test('when the page is hidden, left or offline; a hidden page opens nothing', async () => {
    const page = Object.assign(new EventTarget(), { hidden: false });
    const platform = new EventTarget();
    vi.stubGlobal('document', page);
    for (const name of ['addEventListener', 'removeEventListener'] as const)
      vi.stubGlobal(name, platform[name].bind(platform));
    const happens = {
      hidden: () => page.dispatchEvent(new Event('visibilitychange')),
      pagehide: () => platform.dispatchEvent(new Event('pagehide')),
      offline: () => platform.dispatchEvent(new Event('offline')),
    };
    for (const [name, happen] of Object.entries(happens)) {
      const all = watched();
      await all.client.prepare();
      page.hidden = name === 'hidden';
      happen();
      await pass();
      expect(all.server.transport.openOn('control'), name).toHaveLength(0);
      page.hidden = true;
      await all.client.prepare();
      expect(onControl(all), name).toHaveLength(1);
      page.hidden = false;
      await all.client.prepare();
      expect(all.server.transport.openOn('control'), name).toHaveLength(1);
      await all.client.dispose();
    }
  });
});

test('whatever happens before the click, a call comes about on one connection of each road', async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`SEED=${seed}`);
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < 300; round += 1) {
    const all = watched(Array.from({ length: 40 }, () => (random(4) ? expiring(random(200)) : new Error('500'))));
    const happens = [
      () => void all.client.prepare(),
      () => void all.client.prepare(),
      () => all.server.cutControl(),
      () => void (all.server.refuses.control = random(2)),
      () => void all.client.disconnect(),
      () => pass(random(3) * 61_000),
      () => Promise.resolve(),
    ];
    const done: number[] = [];
    for (let step = random(8); step >= 0; step -= 1) {
      const next = random(happens.length);
      done.push(next);
      await happens[next]?.();
    }
    all.server.refuses.control = 0;
    for (let tries = 0; tries < 20 && all.client.getSnapshot().status !== 'connected'; tries += 1) {
      void all.client.connect().catch(() => {}); // a token endpoint that fails is told, as ever
      await pass(1000);
    }
    const what = `SEED=${seed} round ${round}: ${done}`;
    expect(all.client.getSnapshot().status, what).toBe('connected');
    expect(all.server.transport.openOn('control'), what).toEqual([]);
    expect(all.server.transport.openOn('media'), what).toHaveLength(1);
    expect(all.seen.error.filter(([{ code }]) => code !== 'token_failed'), what).toEqual([]);
    await all.client.dispose();
    await pass(130_000);
    expect(all.server.transport.sockets.filter(({ isClosed }) => !isClosed), what).toEqual([]);
  }
});
