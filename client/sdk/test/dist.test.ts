import { existsSync, readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import type * as core from '../src/index.js';
import type * as testing from '../src/testing/index.js';

const PATIENCE = { timeout: 30_000 }; // ms, for a module to be fetched on a busy machine

const DIST = new URL('../dist/', import.meta.url);

/** An entry as it is shipped. */
async function shipped<T>(entry: string): Promise<T> {
  return (await import(/* @vite-ignore */ new URL(entry, DIST).href)) as T;
}

test.skipIf(!existsSync(new URL('react.js', DIST)))('the hooks are marked for bundlers that know server components', () => {
  expect(readFileSync(new URL('react.js', DIST), 'utf8')).toMatch(/^["']use client["'];/);
});

const { exports } = JSON.parse(readFileSync(new URL('../package.json', DIST), 'utf8'));
const ENTRIES = Object.values(exports).flatMap((entry) => (entry as { default?: string }).default ?? []);
test.skipIf(!existsSync(new URL('element.js', DIST))).each(ENTRIES)('a server may import %s', async (file) => {
  expect(globalThis).not.toHaveProperty('HTMLElement'); // nor anything else of a browser's
  expect(Object.keys(await shipped<object>(`../${file}`))).not.toEqual([]);
});

const isBuilt = existsSync(new URL('index.js', DIST));
test.skipIf(!isBuilt)('what is shipped holds a call, from the click to the end', async () => {
  const { VoiceClient, VoiceError } = await shipped<typeof core>('index.js');
  const { FakeEngine, FakeServer } = await shipped<typeof testing>('testing.js');
  const server = new FakeServer();
  const engine = new FakeEngine();
  const client = new VoiceClient({
    session: { url: 'wss://control.test', token: () => 'a.jwt' },
    transport: server.transport,
    audio: { engine },
    tools: { weather: ({ city }) => ({ city, celsius: 21 }) },
  });
  const seen: string[] = [];
  for (const event of ['statechange', 'message', 'toolcall', 'interrupted', 'reconnected', 'wire', 'close'] as const)
    client.on(event, () => seen.push(event));
  const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

  expect(await client.connect()).toEqual({ sessionId: 's1', resumed: false });
  const [start] = server.requests;
  expect(start).toMatchObject({ type: 'start', tools: [{ name: 'weather' }], client: { name: 'vivavoce' } });
  engine.microphone.speak(100);
  server.say({ type: 'turn.started', turn: 1, role: 'agent' });
  server.say({ type: 'transcript', message: 'a1', turn: 1, role: 'agent', text: 'It is sunny.', final: true });
  server.speak(1, 500);
  engine.player.advance(100);
  server.say({ type: 'tool.call', call_id: 'c1', name: 'weather', args: { city: 'Bern' }, deadline_ms: 1000 });
  const result = { call_id: 'c1', ok: true, data: { city: 'Bern', celsius: 21 } };
  await vi.waitFor(() => expect(server.heard).toContainEqual(expect.objectContaining(result)), PATIENCE);
  expect(server.uplink).toHaveLength(5);
  expect(await client.interrupt()).toEqual({ turn: 1, playedMs: 100, droppedMs: 400 });
  await client.sendText('Hello?');
  await client.sendImage({ data: new Uint8Array(3), mime: 'image/png' });
  await expect(client.sendImage({ data: new Uint8Array(3), mime: 'image/gif' })).rejects.toBeInstanceOf(VoiceError);
  client.mic.setMuted(true);
  client.speaker.setVolume(0.5);
  expect(engine.player.volume).toBe(0.5);
  expect(client.getSnapshot()).toMatchObject({
    status: 'connected',
    mic: { status: 'muted', muted: true },
    speaker: { volume: 0.5 },
    messages: [
      { kind: 'text', role: 'agent', text: 'It is sunny.', interrupted: true },
      { kind: 'tool', name: 'weather', status: 'done' },
    ],
  });

  server.cutMedia();
  for (let tries = 0; tries < 100 && !seen.includes('reconnected'); tries += 1) await settled();
  expect(client.resumeToken).toMatch(/^s1\.key-/);
  await client.disconnect();
  expect(client.getSnapshot()).toMatchObject({ status: 'closed', agent: 'offline' });
  expect(new Set(seen)).toEqual(
    new Set(['statechange', 'message', 'toolcall', 'interrupted', 'reconnected', 'wire', 'close']),
  );
});
