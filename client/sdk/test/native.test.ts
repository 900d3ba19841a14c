// React Native's way to connect. Against a local stack: VIVAVOCE_PAGE=http://127.0.0.1:8787 npx vitest run test/native.test.ts
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocket as Sockets } from 'ws';
import { type Transport, VoiceClient } from '../src/index.js';
import { FakeEngine } from '../src/testing/index.js';

// By its path: the example has types and a package of its own, which `tsc` here knows nothing of.
const EXAMPLE = new URL('../../examples/react-native/transport.ts', import.meta.url).pathname;
const { nativeSockets } = (await import(EXAMPLE)) as { nativeSockets: Transport };

const page = process.env.VIVAVOCE_PAGE;
const NOTHING = { opened() {}, received() {}, closed() {} };

interface Opened {
  url: string;
  protocols: string[];
  headers: Record<string, string>;
}
let opened: Opened[];

/** Sends what React Native's sends: the headers it was given, and an Origin made of the address. */
class ReactNativeSocket extends Sockets {
  constructor(url: string, protocols: string[], options: { headers: Record<string, string> }) {
    const { host, protocol } = new URL(url);
    const origin = `${protocol.replace('ws', 'http')}//${host}`;
    opened.push({ url, protocols, headers: options.headers });
    super(url, protocols, { headers: { ...options.headers, origin } });
    this.on('error', () => {});
  }
}

beforeEach(() => {
  opened = [];
  vi.stubGlobal('WebSocket', ReactNativeSocket);
});
afterEach(() => vi.unstubAllGlobals());

test.each(['jwt', 'ticket'])('a %s goes in Authorization and in no subprotocol', (kind) => {
  nativeSockets.open('ws://127.0.0.1:1/v1', ['vivavoce', `vivavoce.${kind}.a.b-c`], NOTHING);
  expect(opened).toEqual([
    { url: 'ws://127.0.0.1:1/v1', protocols: ['vivavoce'], headers: { Authorization: 'Bearer a.b-c' } },
  ]);
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
    } finally {
      clearInterval(play);
      await client.dispose();
    }
  }, 30_000);
});
