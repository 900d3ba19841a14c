// Devices that are chosen, come, go and are forbidden, in every state of a call: the agent hears, or the user is told.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Machine } from '../audio/machine.js';
import { pass, rig } from './rig.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function atMachine(audio: object = {}, sinks: Machine['sinks'] = 'context') {
  const machine = new Machine();
  machine.inputs = ['built-in', 'desk'];
  machine.outputs = ['loudspeaker', 'headphones'];
  machine.sinks = sinks;
  machine.install();
  const all = rig({ audio });
  const told: string[] = [];
  all.client.on('error', ({ code }) => told.push(code));
  return { ...all, machine, told };
}

type At = Awaited<ReturnType<typeof atMachine>>;

/** To each state from a client that was never connected. */
const STATES: Record<string, (at: At) => Promise<void>> = {
  idle: async () => {},
  starting: async ({ client }) => void client.connect().catch(() => {}),
  live: async (at) => call(at),
  muted: async (at) => {
    await call(at);
    at.client.mic.setMuted(true);
  },
  reconnecting: async (at) => {
    await call(at);
    at.server.refuses.control = 2;
    at.server.cutMedia();
    await pass(1);
    expect(at.client.getSnapshot().status).toBe('reconnecting');
  },
  ended: async (at) => {
    await call(at);
    await Promise.all([at.client.disconnect(), pass(10)]);
  },
};

/** What happens, and the microphone that must be open in the end; null: the user must have been told. */
const ACTIONS: Record<string, { act: (at: At) => Promise<void> | void; mic: string | null; sink?: string }> = {
  'another microphone is chosen': { act: ({ client }) => client.mic.setDevice('desk'), mic: 'desk' },
  'a microphone is chosen, and another at once': {
    act: async ({ client }) => {
      await Promise.all([client.mic.setDevice('desk'), client.mic.setDevice('built-in')]);
    },
    mic: 'built-in',
  },
  'another speaker is chosen': {
    act: ({ client }) => client.speaker.setDevice('headphones'),
    mic: 'built-in',
    sink: 'headphones',
  },
  'a speaker is chosen, and the system’s at once': {
    act: async ({ client }) => {
      await Promise.all([client.speaker.setDevice('headphones'), client.speaker.setDevice(null)]);
    },
    mic: 'built-in',
    sink: '',
  },
  'the microphone is unplugged': { act: ({ machine }) => machine.unplug('built-in'), mic: 'desk' },
  'every microphone is unplugged': {
    act: ({ machine }) => {
      machine.unplug('desk');
      machine.unplug('built-in');
    },
    mic: null,
  },
  'a new one is plugged in': { act: ({ machine }) => machine.plug('headset'), mic: 'built-in' },
  'the system has another default': { act: ({ machine }) => machine.chooseDefault('desk'), mic: 'any' },
  'the permission is revoked': { act: ({ machine }) => machine.revoke(), mic: null },
};

async function call({ client }: At): Promise<void> {
  void client.connect().catch(() => {});
  await pass(10);
}

/** On to a call that should be heard, from whatever state it was. */
async function settle(at: At): Promise<void> {
  await pass(20_000);
  const { status, mic } = at.client.getSnapshot();
  if (!['connected', 'failed'].includes(status)) await call(at);
  if (mic.muted) at.client.mic.setMuted(false);
  await pass(100);
}

describe.each(Object.keys(STATES))('%s', (state) => {
  test.each(Object.keys(ACTIONS))('%s', async (action) => {
    const at = await atMachine();
    const { act, mic, sink } = ACTIONS[action] as (typeof ACTIONS)[string];
    await STATES[state]?.(at);
    await act(at);
    await settle(at);
    const before = at.server.uplink.length;
    at.machine.speak(200);
    await pass(10);
    const isHeard = at.server.uplink.length === before + 10;
    expect(isHeard).toBe(mic !== null);
    if (mic === null) {
      expect(at.told.some((code) => code.startsWith('mic_'))).toBe(true);
      expect(at.client.getSnapshot().mic.status).toBe('error');
      return;
    }
    expect(at.told).toEqual([]);
    if (mic !== 'any') expect(at.machine.using).toBe(mic);
    expect(at.client.getSnapshot().mic.deviceId).toBe(at.machine.using);
    if (sink !== undefined) expect(at.machine.sink).toBe(sink);
  });
});

describe('what was chosen', () => {
  test('holds for the calls that follow, and a microphone that is gone gives way to another', async () => {
    const at = await atMachine();
    await at.client.mic.setDevice('desk');
    await at.client.speaker.setDevice('headphones');
    for (let times = 0; times < 2; times += 1) {
      at.machine.sink = '';
      await call(at);
      expect([at.machine.using, at.machine.sink]).toEqual(['desk', 'headphones']);
      await Promise.all([at.client.disconnect(), pass(10)]);
    }
  });

  test('is listed when devices come, with their names', async () => {
    const at = await atMachine();
    await call(at);
    const listed: number[] = [];
    at.client.on('devicechange', ({ inputs }) => listed.push(inputs.length));
    at.machine.plug('headset');
    await pass(10);
    expect(listed).toEqual([3]);
  });
});

describe('a speaker is chosen', () => {
  test('through an element, where a context cannot be sent to a device, and back', async () => {
    const at = await atMachine({}, 'element');
    await call(at);
    await at.client.speaker.setDevice('headphones');
    expect(at.machine.sink).toBe('headphones');
    expect(at.client.getSnapshot().speaker.deviceId).toBe('headphones');
    await at.client.speaker.setDevice(null);
    expect(at.client.getSnapshot().speaker.deviceId).toBeUndefined();
    expect(at.told).toEqual([]);
  });

  test('and one that is pulled out gives way to the system’s choice', async () => {
    const at = await atMachine();
    await call(at);
    await at.client.speaker.setDevice('headphones');
    at.machine.unplug('headphones');
    await pass(10);
    expect(at.client.getSnapshot().speaker.deviceId).toBeUndefined();
    expect(at.machine.sink).toBe('');
  });

  test('and one that went without a word gives way when the agent speaks', async () => {
    const at = await atMachine({}, 'element');
    await call(at);
    await at.client.speaker.setDevice('headphones');
    at.machine.play(1);
    await pass(10);
    expect(at.client.getSnapshot().speaker.deviceId).toBe('headphones');
    at.machine.outputs = ['loudspeaker'];
    at.machine.play(2);
    await pass(10);
    expect(at.client.getSnapshot().speaker.deviceId).toBeUndefined();
  });

  test('and where neither can, the user is told', async () => {
    const at = await atMachine({}, 'none');
    await call(at);
    await expect(at.client.speaker.setDevice('headphones')).rejects.toMatchObject({ code: 'speaker_unsupported' });
    await at.client.speaker.setDevice(null); // which is what sounds
  });

  test('and one that is not there is refused, and the last one stays', async () => {
    const at = await atMachine();
    await call(at);
    await at.client.speaker.setDevice('headphones');
    await expect(at.client.speaker.setDevice('gone')).rejects.toMatchObject({ code: 'speaker_unsupported' });
    expect(at.machine.sink).toBe('headphones');
    expect(at.client.getSnapshot().speaker.deviceId).toBe('headphones');
  });
});
