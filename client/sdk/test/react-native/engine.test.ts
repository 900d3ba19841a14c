// A phone's audio through the native module: what the module says, and what a call makes of it.
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { VoiceClient, type VoiceError } from '../../src/index.js';
import { type AppStates, type NativeEngineOptions, NativeEngine, nativeSockets, phone } from '../../src/react-native/index.js';
import { FakePhone, FakeServer } from '../../src/testing/index.js';

const HEADSET = {
  inputs: [{ id: 'mic', label: 'Microphone' }, { id: 'bt', label: 'Headset' }],
  outputs: [{ id: 'speaker', label: 'Speaker' }, { id: 'bt', label: 'Headset' }],
  input: 'bt',
  output: 'bt',
};

/** React Native's `AppState`. */
class FakeApp implements AppStates {
  currentState = 'active';
  readonly #listeners = new Set<(state: string) => void>();

  addEventListener(_: 'change', listener: (state: string) => void) {
    this.#listeners.add(listener);
    return { remove: () => void this.#listeners.delete(listener) };
  }

  goes(state: string): void {
    this.currentState = state;
    for (const listener of this.#listeners) listener(state);
  }
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
const sound = (ms: number, value = 100) => new Uint8Array(new Int16Array(16 * ms).fill(value).buffer);

function rig(options: NativeEngineOptions = {}) {
  const server = new FakeServer();
  const module = new FakePhone();
  const app = new FakeApp();
  const engine = new NativeEngine(module, { app, ...options });
  const session = { url: 'wss://control.test', token: 'a.jwt' };
  const client = new VoiceClient({ session, transport: server.transport, audio: { engine } });
  const errors: string[] = [];
  client.on('error', ({ code }) => errors.push(code));
  const mic = () => client.getSnapshot().mic;
  const told = () => server.heard.filter(({ type }) => type === 'mic').map(({ state }) => state);
  return { server, module, app, engine, client, errors, mic, told };
}

afterEach(() => vi.useRealTimers());

describe('a call on a phone', () => {
  test('speaks with 16 kHz frames, hears the agent, and is silent at once when the user barges in', async () => {
    const { server, module, client, mic } = rig();
    await client.connect();
    expect(mic()).toMatchObject({ status: 'live', deviceId: 'mic', label: 'Microphone' });
    expect(module.options).toEqual({
      frameMs: 20, echoCancellation: true, noiseSuppression: true, autoGainControl: true, deviceId: '', inBackground: false,
    });
    module.speak(sound(100));
    await settle();
    expect(server.uplink).toEqual([0, 1, 2, 3, 4]);
    expect(client.levels.input).toBeCloseTo(100 / 32_768);
    server.say({ type: 'turn.started', turn: 1, role: 'agent' });
    server.speak(1, 400);
    module.sound(0.5);
    module.player.advance(100);
    expect(client.getSnapshot().speaker.playing).toBe(true);
    expect(client.levels.output).toBe(0.5);
    server.say({ type: 'turn.interrupted', turn: 1, cause: 'user' });
    await settle();
    expect(client.levels.output).toBe(0);
    expect(server.heard.at(-1)).toMatchObject({ type: 'playback', turn: 1, state: 'flushed', played_ms: 100 });
    await client.dispose();
    expect(module).toMatchObject({ isPrepared: false, isRecording: false });
  });

  test.each([['denied', 'mic_denied'], ['in_use', 'mic_in_use'], ['not_found', 'mic_not_found'], ['unsupported', 'mic_unsupported']] as const)(
    'a microphone that is %s ends the attempt with %s, in words for a phone',
    async (failure, code) => {
      const { module, client } = rig();
      module.refuses.start = failure;
      const error: VoiceError = await client.connect().catch((thrown) => thrown);
      expect(error).toMatchObject({ code, fatal: true });
      expect(error.advice).not.toMatch(/browser|page|site/);
      await settle();
      expect(module.isPrepared).toBe(false);
    },
  );

  test('audio that another app keeps is said so', async () => {
    const { module, client } = rig();
    module.refuses.prepare = 'in_use';
    await expect(client.connect()).rejects.toMatchObject({ code: 'audio_interrupted' });
  });

  test('a frame inside of a larger buffer is taken out of it', async () => {
    const { server, engine, client } = rig();
    await client.connect();
    const frames = sound(40);
    engine.microphone.hear(frames.subarray(640));
    await settle();
    expect(server.transport.openOn('media')[0]?.frames.map(({ length }) => length)).toEqual([648]);
  });

  test('a switched-off microphone, which gives zeros, is told once', async () => {
    const { module, client, errors } = rig();
    await client.connect();
    module.speak(sound(7000, 0));
    expect(errors).toEqual(['mic_silent']);
  });

  test('a microphone that is gone for good is told, and may be opened again', async () => {
    const { module, client, errors, mic, told } = rig();
    await client.connect();
    module.lose('the record thread died');
    await settle();
    expect(errors).toEqual(['mic_lost']);
    expect(mic().status).toBe('error');
    expect(told()).toEqual(['open', 'closed']);
    await client.mic.enable();
    expect(mic().status).toBe('live');
  });

  test('a microphone that is closed while the phone asks for the permission stays closed', async () => {
    const { module, engine, client } = rig();
    await client.connect();
    const start = module.start.bind(module);
    let allow = () => {};
    module.start = async (options) => {
      await new Promise<void>((resolve) => {
        allow = resolve;
      });
      return await start(options);
    };
    await client.mic.disable();
    const opened = client.mic.enable();
    await settle();
    await client.mic.disable();
    allow();
    await opened;
    expect(module.isRecording).toBe(false);
    expect(engine.levels.input).toBe(0);
  });

  test('a module that cannot flush is taken at its last report', async () => {
    const { server, module, client } = rig();
    await client.connect();
    server.say({ type: 'turn.started', turn: 1, role: 'agent' });
    server.speak(1, 400);
    module.player.advance(100);
    module.flush = () => Promise.reject(new Error('gone'));
    expect(await client.interrupt()).toEqual({ turn: 1, playedMs: 100, droppedMs: 300 });
  });
});

describe('focus', () => {
  test('a phone call pauses the microphone, the server is told, and both come back', async () => {
    const { server, module, client, errors, mic, told } = rig();
    await client.connect();
    module.ring();
    await settle();
    expect(client.getSnapshot()).toMatchObject({ status: 'connected', mic: { status: 'paused' }, speaker: { interrupted: true } });
    module.speak(sound(100));
    module.hangUp();
    await settle();
    expect(client.getSnapshot()).toMatchObject({ mic: { status: 'live' }, speaker: { interrupted: false } });
    module.speak(sound(40));
    await settle();
    expect(server.uplink).toEqual([0, 1]);
    expect(told()).toEqual(['open', 'paused', 'open']);
    expect(mic().status).toBe('live');
    expect(errors).toEqual([]);
  });

  test('a microphone that does not come back is lost, not silently deaf', async () => {
    const { module, client, errors, mic } = rig();
    await client.connect();
    module.ring();
    module.refuses.start = 'in_use';
    module.hangUp();
    await settle();
    expect(errors).toEqual(['mic_lost']);
    expect(mic().status).toBe('error');
  });

  test('a microphone is not opened while another app has the audio', async () => {
    const { module, client } = rig();
    await client.connect();
    await client.mic.disable();
    module.ring();
    await expect(client.mic.enable()).rejects.toMatchObject({ code: 'mic_in_use' });
    expect(module.isRecording).toBe(false);
  });

  test('another device that is chosen meanwhile is the one that comes back', async () => {
    const { module, client, errors, mic } = rig();
    await client.connect();
    module.ring();
    await client.mic.setDevice('bt');
    await settle();
    expect(mic().status).toBe('paused');
    expect(module.isRecording).toBe(false);
    module.hangUp();
    await settle();
    expect(mic().status).toBe('live');
    expect(module.options?.deviceId).toBe('bt');
    expect(errors).toEqual([]);
  });

  test('a call that ends meanwhile leaves nothing to the next', async () => {
    const { module, client, mic } = rig();
    await client.connect();
    module.ring();
    await client.disconnect();
    module.hangUp();
    await client.connect();
    expect(mic().status).toBe('live');
  });
});

describe('behind other apps', () => {
  test('the microphone is closed, the server is told, and it comes back with the app', async () => {
    const { module, app, client, told, mic } = rig();
    await client.connect();
    app.goes('inactive');
    await settle();
    expect(module.isRecording).toBe(true);
    app.goes('background');
    await settle();
    expect(module.isRecording).toBe(false);
    expect(mic().status).toBe('paused');
    app.goes('active');
    await settle();
    expect(module.isRecording).toBe(true);
    expect(told()).toEqual(['open', 'paused', 'open']);
  });

  test('an app with background audio keeps it open', async () => {
    const { module, app, client, told } = rig({ inBackground: 'keep' });
    await client.connect();
    app.goes('background');
    await settle();
    expect(module.isRecording).toBe(true);
    expect(told()).toEqual(['open']);
    expect(module.options?.inBackground).toBe(true);
  });

  test('a phone call behind which the app went away: the microphone waits for both', async () => {
    const { module, app, client, told } = rig();
    await client.connect();
    app.goes('background');
    module.ring();
    module.hangUp();
    await settle();
    expect(module.isRecording).toBe(false);
    app.goes('active');
    await settle();
    expect(module.isRecording).toBe(true);
    expect(told()).toEqual(['open', 'paused', 'open']);
  });

  test('an app that went away while the phone asked for the permission is not listened to', async () => {
    const { module, app, client, mic } = rig();
    const start = module.start.bind(module);
    module.start = async (options) => {
      app.goes('background');
      return await start(options);
    };
    await client.connect();
    await settle();
    expect(module.isRecording).toBe(false);
    expect(mic().status).toBe('paused');
    module.start = start;
    app.goes('active');
    await settle();
    expect(mic().status).toBe('live');
  });

  test('a call that ends there is over for the next: its microphone opens', async () => {
    const { module, app, client } = rig();
    await client.connect();
    app.goes('background');
    await client.disconnect();
    app.goes('active');
    await client.connect();
    expect(module.isRecording).toBe(true);
  });
});

describe('devices', () => {
  test('a headset that is switched on is in the snapshot, and told', async () => {
    const { module, client, mic } = rig();
    const seen = vi.fn();
    client.on('devicechange', seen);
    await client.connect();
    module.reroute(HEADSET);
    expect(mic()).toMatchObject({ status: 'live', deviceId: 'bt', label: 'Headset' });
    expect(seen.mock.lastCall?.[0].outputs).toContainEqual({ deviceId: 'bt', label: 'Headset' });
    expect(await client.devices.list()).toMatchObject({ labelled: true, inputs: [{}, { deviceId: 'bt' }] });
  });

  test('an output may be chosen; one that is not there is refused', async () => {
    const { module, client } = rig();
    await client.connect();
    module.reroute(HEADSET);
    await client.speaker.setDevice('speaker');
    expect((await module.routes()).output).toBe('speaker');
    await expect(client.speaker.setDevice('car')).rejects.toMatchObject({ code: 'speaker_unsupported' });
  });
});

test('a provider gets both halves of a phone at once', () => {
  const { audio, transport } = phone(new FakePhone());
  expect(audio && audio.engine).toBeInstanceOf(NativeEngine);
  expect(transport).toBe(nativeSockets);
});

test('nothing of a browser’s page is named in the sources', () => {
  const sources = new URL('../../src/react-native/', import.meta.url);
  for (const file of readdirSync(sources))
    expect(readFileSync(new URL(file, sources), 'utf8'), file).not.toMatch(
      /\b(HTML|Media(Stream|Device)|document|window|navigator)/,
    );
});
