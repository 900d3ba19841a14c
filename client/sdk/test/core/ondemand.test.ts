import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { VoiceClient, WireFrame } from '../../src/index.js';
import { FakeEngine, FakeServer } from '../../src/testing/index.js';

const PATIENCE = { timeout: 30_000 }; // ms, for a module to be fetched on a busy machine

/** The chunk's fetches, how many of them are under way, and whether they fail. */
const network = { isDown: false, fetches: 0, underWay: 0 };

beforeEach(() => {
  vi.resetModules();
  Object.assign(network, { isDown: false, fetches: 0, underWay: 0 });
  vi.doMock('../../src/ondemand/index.js', async (original) => {
    network.fetches += 1;
    if (network.isDown) throw new Error('Failed to fetch');
    network.underWay += 1;
    return await original().finally(() => (network.underWay -= 1));
  });
});
afterEach(async () => {
  await vi.waitFor(() => expect(network.underWay).toBe(0), PATIENCE); // or it comes to the next test
  vi.doUnmock('../../src/ondemand/index.js');
});

const CALL = { type: 'tool.call', name: 'weather', args: {}, deadline_ms: 1000 };

async function live(tools: Record<string, () => unknown> = {}) {
  const server = new FakeServer();
  const { VoiceClient: Fresh } = await import('../../src/index.js');
  const client: VoiceClient = new Fresh({
    session: { url: 'wss://control.test', token: 'a.jwt' },
    transport: server.transport,
    audio: { engine: new FakeEngine() },
    tools,
  });
  return { server, client };
}

test('a call without tools never fetches it', async () => {
  const { server, client } = await live();
  await client.connect();
  server.say({ type: 'transcript', message: 'a1', turn: 1, role: 'agent', text: 'Hi.' });
  await client.disconnect();
  expect(network.fetches).toBe(0);
});

test('it is fetched as soon as tools are declared', async () => {
  const { client } = await live({ weather: () => 'sunny' });
  const joined = client.connect();
  await vi.waitFor(() => expect(network.fetches).toBe(1), PATIENCE);
  await joined;
  await client.disconnect();
});

test('a tool that cannot be fetched has failed, which the model is told; the next call tries again', async () => {
  const { server, client } = await live({ weather: () => 'sunny' });
  network.isDown = true;
  await client.connect();
  server.say({ ...CALL, call_id: 'c1' });
  const answered = (result: object) =>
    vi.waitFor(() => expect(server.heard).toContainEqual(expect.objectContaining(result)), PATIENCE);
  await answered({ call_id: 'c1', ok: false, error: 'The tool failed.' });
  network.isDown = false;
  server.say({ ...CALL, call_id: 'c2' });
  await answered({ call_id: 'c2', ok: true, data: 'sunny' });
  await client.disconnect();
});

test('an image that cannot be encoded for the same reason is refused with a VoiceError', async () => {
  const { client } = await live();
  network.isDown = true;
  await client.connect();
  const image = client.sendImage({ data: new Uint8Array(1), mime: 'image/png' });
  await expect(image).rejects.toMatchObject({ name: 'VoiceError', code: 'connect_failed' });
  await client.disconnect();
});

test('devices are listed by it, and where it cannot be fetched a VoiceError says so', async () => {
  const { client } = await live();
  network.isDown = true;
  await expect(client.devices.list()).rejects.toMatchObject({ name: 'VoiceError', code: 'connect_failed' });
  network.isDown = false;
  expect(await client.devices.list()).toHaveProperty('labelled');
  expect(network.fetches).toBe(2);
});

test('frames on the wire are shown in order, from the first on, and without secrets', async () => {
  const { client, server } = await live();
  const shown: string[] = [];
  const frames: WireFrame[] = [];
  client.on('wire', (direction, road, frame) => {
    shown.push(`${direction} ${road} ${'type' in (frame as object) ? (frame as { type: string }).type : 'audio'}`);
    frames.push(frame);
  });
  await client.connect();
  server.speak(1, 20);
  await vi.waitFor(() => expect(frames.at(-1)).toEqual({ binary: 960 }), PATIENCE);
  expect(shown.slice(0, 5)).toEqual([
    'out control start',
    'in control starting',
    'in control ready',
    'out media hello',
    'in media live',
  ]);
  expect(JSON.stringify(frames)).not.toMatch(/ticket\d|key-\d/);
  await client.disconnect();
});

test('what cannot be blanked is not shown', async () => {
  const { client } = await live();
  network.isDown = true;
  const shown = vi.fn();
  client.on('wire', shown);
  await client.connect();
  await vi.waitFor(() => expect(network.fetches).toBeGreaterThan(0), PATIENCE);
  await client.disconnect();
  expect(shown).not.toHaveBeenCalled();
});

test('prepare() whose code cannot be fetched leaves everything to connect()', async () => {
  const { server, client } = await live();
  network.isDown = true;
  await client.prepare();
  expect(server.transport.sockets).toEqual([]);
  await client.connect();
  expect(client.getSnapshot().status).toBe('connected');
  expect(client.getSnapshot()).not.toHaveProperty('error');
  await client.disconnect();
});
