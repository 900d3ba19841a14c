// Devices and options, whenever they are set, and what is said when they cannot be.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import '../../src/advice/index.js';
import { VoiceClient, VoiceError } from '../../src/index.js';
import { pass, rig } from './rig.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A client whose loudspeaker notes where it was sent. */
function speakers(options = {}) {
  const all = rig(options);
  const chosen: (string | null)[] = [];
  all.engine.player.setDevice = async (deviceId?: string | null) => {
    if (deviceId === 'gone') throw new VoiceError('speaker_unsupported');
    chosen.push(deviceId ?? null);
  };
  return { ...all, chosen };
}

async function call({ client }: ReturnType<typeof rig>): Promise<void> {
  const joined = client.connect();
  await pass();
  await joined;
}

describe('the chosen speaker', () => {
  test('is taken before there is a call, and kept for the next', async () => {
    const all = speakers();
    await all.client.speaker.setDevice('headset');
    expect(all.client.getSnapshot().speaker.deviceId).toBe('headset');
    await call(all);
    expect(all.chosen).toEqual(['headset']);
    await Promise.all([all.client.disconnect(), pass()]);
    await call(all);
    expect(all.chosen).toEqual(['headset', 'headset']);
    expect(all.client.getSnapshot().speaker.deviceId).toBe('headset');
  });

  test('comes before the app’s wish, and the system’s choice before both', async () => {
    const engine = rig().engine;
    const all = speakers();
    all.client.update({ audio: { engine: all.engine, speaker: { deviceId: 'wish' } } });
    await call(all);
    expect(all.chosen).toEqual(['wish']);
    expect(all.client.getSnapshot().speaker.deviceId).toBe('wish');
    await all.client.speaker.setDevice(null);
    await Promise.all([all.client.disconnect(), pass()]);
    await call(all);
    expect(all.chosen).toEqual(['wish', null]);
    expect(all.client.getSnapshot().speaker.deviceId).toBeUndefined();
    expect(engine.events).toBeNull();
  });

  test('that is not there any more is told, and the call sounds elsewhere', async () => {
    const all = speakers();
    await all.client.speaker.setDevice('gone');
    await call(all);
    expect(all.client.getSnapshot()).toMatchObject({ status: 'connected', speaker: { deviceId: undefined } });
    expect(all.seen.error.map(([{ code, fatal }]) => [code, fatal])).toEqual([['speaker_unsupported', false]]);
  });

  test('that cannot be had in a call is refused, and the state stays as it was', async () => {
    const all = speakers();
    await call(all);
    await expect(all.client.speaker.setDevice('gone')).rejects.toMatchObject({ code: 'speaker_unsupported' });
    expect(all.client.getSnapshot().speaker.deviceId).toBeUndefined();
  });
});

test('what waits to be played is in the metrics, and nothing does after an interruption', async () => {
  const all = rig();
  await call(all);
  all.server.say({ type: 'turn.started', turn: 1, role: 'agent' });
  for (let frame = 0; frame < 10; frame += 1) all.server.speak(1, 100);
  all.engine.player.advance(200);
  expect(all.client.getSnapshot().metrics.bufferedMs).toBe(800);
  await all.client.interrupt();
  expect(all.client.getSnapshot().metrics.bufferedMs).toBe(0);
});

describe('a mistake in the options', () => {
  test.each([
    ['no URL', { url: undefined }, 'session.url'],
    ['an empty URL', { url: '' }, 'session.url'],
    ['no token', { url: 'wss://control.test', token: undefined }, 'session.token'],
    ['no session', undefined, 'session.url'],
  ])('%s: said at once, with its name, and not to be tried again', async (_, session, name) => {
    const all = rig({ session: session && { token: 'a.jwt', ...session } } as never);
    const error = await all.client.connect().catch((thrown: VoiceError) => thrown);
    expect(error).toMatchObject({ code: 'bad_options', retryable: false, fatal: true, ref: name });
    expect((error as VoiceError).message).toContain(name);
    expect(all.server.transport.sockets).toEqual([]);
    expect(all.seen.close[0]?.[0]).toMatchObject({ by: 'client', reason: 'bad_options' });
  });

  test('a URL that no WebSocket takes is one, with the platform’s reason', async () => {
    const all = rig();
    const refusal = new SyntaxError('The URL’s scheme must be ws or wss.');
    all.client.update({
      transport: {
        open: () => {
          throw refusal;
        },
      },
    });
    await expect(all.client.connect()).rejects.toMatchObject({ code: 'bad_options', ref: 'session.url', cause: refusal });
  });

  test('no options at all are named', () => {
    expect(() => new VoiceClient(undefined as never)).toThrow(/^bad_options: .*session/);
  });
});

test.each(['connect_failed', 'connect_timeout', 'connection_lost', 'mic_silent', 'audio_blocked', 'aborted'] as const)(
  '%s has a sentence for developers',
  (code) => {
    const { message } = new VoiceError(code);
    expect(message).toMatch(new RegExp(`^${code}: \\w+.{10,}`));
  },
);
