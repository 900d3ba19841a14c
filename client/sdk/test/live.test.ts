// A real conversation with a local stack: VIVAVOCE_PAGE=http://127.0.0.1:8787 npx vitest run test/live.test.ts
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import '../src/advice/index.js';
import { type Socket, type SocketEvents, type Transport, VoiceClient, type VoiceEvents } from '../src/index.js';
import { FakeEngine } from '../src/testing/index.js';

const page = process.env.VIVAVOCE_PAGE;
const FRAME_BYTES = 640;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Node's sockets, which a test can cut. */
class Sockets implements Transport {
  readonly open_: { readonly road: string; readonly socket: WebSocket }[] = [];

  open(url: string, protocols: readonly string[], events: SocketEvents): Socket {
    const socket = new WebSocket(url, [...protocols]);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => events.opened();
    socket.onmessage = ({ data }) => events.received(data as string | ArrayBuffer);
    socket.onclose = ({ code }) => events.closed(code);
    socket.onerror = () => {};
    this.open_.push({ road: protocols.some((entry) => entry.includes('.jwt.')) ? 'control' : 'media', socket });
    return socket;
  }

  cut(road: string): void {
    for (const entry of this.open_) if (entry.road === road) entry.socket.terminate();
  }
}

async function session() {
  const answer = await fetch(`${page}/dev/session.json`);
  return (await answer.json()) as { url: string; token: string };
}

const clients: VoiceClient[] = [];
afterAll(() => Promise.all(clients.map((client) => client.dispose())));

async function call() {
  const transport = new Sockets();
  const engine = new FakeEngine();
  const { url } = await session();
  const client = new VoiceClient({
    session: { url, token: async () => (await session()).token },
    transport,
    audio: { engine },
  });
  clients.push(client);
  const positions: string[] = [];
  client.on('wire', (direction, road, frame) => {
    const { e, n } = frame as { e?: number; n?: number };
    if (direction === 'in' && road === 'media' && n) positions.push(`${e}.${n}`);
  });
  const errors: VoiceEvents['error'][0][] = [];
  client.on('error', (error) => errors.push(error));
  const play = setInterval(() => engine.player.advance(20), 20);
  client.on('close', () => clearInterval(play));
  await client.connect();
  return { client, engine, transport, positions, errors };
}

/** A recorded question, at the pace of a voice, then silence so that its end is heard. */
async function ask(engine: FakeEngine, file: string): Promise<void> {
  const wav = readFileSync(new URL(`../../../simulator/samples/${file}`, import.meta.url));
  const speech = new Uint8Array(wav.subarray(44));
  const end = speech.length + 100 * FRAME_BYTES;
  for (let at = 0; at < end; at += FRAME_BYTES) {
    const frame = new Uint8Array(FRAME_BYTES);
    frame.set(speech.subarray(at, at + FRAME_BYTES));
    engine.microphone.events.frame(frame.buffer);
    await sleep(20);
  }
}

async function until(what: () => unknown, ms = 20_000): Promise<void> {
  for (let left = ms; !what(); left -= 50) {
    if (left <= 0) throw new Error(`it never came: ${what}`);
    await sleep(50);
  }
}

const texts = (client: VoiceClient, role: string) =>
  client
    .getSnapshot()
    .messages.flatMap((message) => (message.kind === 'text' && message.role === role ? message.text : []));

describe.skipIf(!page)('with a local stack', { timeout: 90_000 }, () => {
  test('a spoken question is answered, and heard to its end', async () => {
    const { client, engine, errors } = await call();
    const ended = new Promise((resolve) => client.on('agentspeechend', resolve));
    await ask(engine, 'question.wav');
    expect(await ended).toMatchObject({ interrupted: false });
    expect(texts(client, 'user').join('')).not.toBe('');
    expect(texts(client, 'agent').join('')).not.toBe('');
    expect(errors).toEqual([]);
    await client.disconnect();
    expect(client.getSnapshot().status).toBe('closed');
  });

  test.each(['media', 'control', 'media and control'])('cut in mid-answer: %s', async (roads) => {
    const { client, engine, transport, positions } = await call();
    const done = new Promise((resolve) => client.on('agentspeechend', resolve));
    const started = new Promise((resolve) => client.on('agentspeechstart', resolve));
    void ask(engine, 'question.wav');
    await started;
    for (const road of roads.split(' and ')) transport.cut(road);
    await done;
    await until(() => client.getSnapshot().status === 'connected');
    expect(new Set(positions).size).toBe(positions.length);
    const numbers = positions.map((position) => Number(position.split('.')[1]));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(client.getSnapshot().metrics.missingFrames).toBe(0);
    await client.disconnect();
  });

  test('written words are answered; the app stops the answer', async () => {
    const { client } = await call();
    const started = new Promise((resolve) => client.on('agentspeechstart', resolve));
    await client.sendText('Tell me a long story.');
    await started;
    const played = await client.interrupt();
    expect(played?.turn).toBeGreaterThan(0);
    await until(() => client.getSnapshot().agent === 'listening');
    expect(client.getSnapshot().messages[0]).toMatchObject({ source: 'typed', text: 'Tell me a long story.' });
    await client.disconnect();
  });
});
