// React Native's way to connect. Against a local stack: VIVAVOCE_PAGE=http://127.0.0.1:8787 npx vitest run test/react-native
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { VoiceClient } from '../../src/index.js';
import { nativeSockets } from '../../src/react-native/index.js';
import { FakeEngine } from '../../src/testing/index.js';
import { opened, originOf, ReactNativeSocket } from './socket.js';

const page = process.env.VIVAVOCE_PAGE;
const NOTHING = { opened() {}, received() {}, closed() {} };

beforeEach(() => {
  opened.length = 0;
  vi.stubGlobal('WebSocket', ReactNativeSocket);
});
afterEach(() => vi.unstubAllGlobals());

test.each(['jwt', 'ticket'])('a %s goes in Authorization and in no subprotocol', (kind) => {
  nativeSockets.open('ws://127.0.0.1:1/v1', ['vivavoce', `vivavoce.${kind}.a.b-c`], NOTHING);
  expect(opened).toMatchObject([
    { url: 'ws://127.0.0.1:1/v1', protocols: ['vivavoce'], headers: { Authorization: 'Bearer a.b-c' } },
  ]);
});

test('what a server asks for besides is offered unread, and no header is made of it', () => {
  nativeSockets.open('ws://127.0.0.1:1/v1', ['vivavoce', 'home.token.x'], NOTHING);
  expect(opened).toMatchObject([{ protocols: ['vivavoce', 'home.token.x'], headers: {} }]);
});

test('a socket that is closed while it connects is closed once it is open, and never said to be', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => server.on('listening', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const events = { opened: vi.fn(), received: vi.fn(), closed: vi.fn() };
    nativeSockets.open(`ws://127.0.0.1:${port}`, ['vivavoce'], events).close(1000);
    await vi.waitFor(() => expect(events.closed).toHaveBeenCalledWith(1000));
    expect(events.opened).not.toHaveBeenCalled();
    await vi.waitFor(() => expect(server.clients.size).toBe(0));
  } finally {
    server.close();
  }
});

describe.skipIf(!page)('with a local stack', () => {
  test('a conversation is held though both roads see an Origin of React Native’s own making', async () => {
    const session = (await (await fetch(`${page}/dev/session.json`)).json()) as { url: string; token: string };
    const engine = new FakeEngine();
    const client = new VoiceClient({ session, transport: nativeSockets, audio: { engine } });
    const play = setInterval(() => engine.player.advance(20), 20);
    const answered = new Promise((resolve) => client.on('agentspeechstart', resolve));
    try {
      await client.connect();
      client.sendText('hello');
      await answered;
      expect(opened.map(({ headers }) => Object.keys(headers))).toEqual([['Authorization'], ['Authorization']]);
      expect(opened.map(({ origin }) => origin)).toEqual(opened.map(({ url }) => originOf(url)));
    } finally {
      clearInterval(play);
      await client.dispose();
    }
  }, 30_000);
});
