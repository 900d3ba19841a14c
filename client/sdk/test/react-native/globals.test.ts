// React Native is no browser: what the client asks the global scope for must be there, or not be missed.
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

/**
 * Besides the language itself, Hermes and React Native's own setup (0.86) give these, of what a client may use; no
 * `window`, `document`, `navigator.mediaDevices`, `addEventListener` or `crypto`.
 */
const GLOBALS = {
  ...{ AbortController, AbortSignal, TextEncoder, btoa, console, performance, queueMicrotask },
  ...{ clearInterval, clearTimeout, setInterval, setTimeout },
  Blob: class {}, // which cannot give its bytes
};

/** A call from its begin to its end, with a tool, a picture, a break and a phone call in it. */
const CALL = `
  import { VoiceClient } from './src/client.js';
  import { phone } from './src/react-native/options.js';
  import { FakePhone, FakeServer } from './src/testing/index.js';

  const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

  globalThis.hold = async () => {
    const server = new FakeServer();
    const module = new FakePhone();
    const client = new VoiceClient({
      ...phone(module),
      session: { url: 'wss://control.test', token: 'a.jwt' },
      transport: server.transport,
      tools: { weather: () => ({ celsius: 21 }) },
    });
    const problems = [];
    client.on('error', (error) => problems.push(error.code));
    await client.connect();
    module.speak(new Uint8Array(640).fill(1));
    server.say({ type: 'turn.started', turn: 1, role: 'agent' });
    server.speak(1, 200);
    module.player.advance(100);
    server.say({ type: 'tool.call', call_id: 'c1', name: 'weather', args: {}, deadline_ms: 1000 });
    await client.sendImage({ data: new Uint8Array(3), mime: 'image/png' });
    await client.interrupt();
    module.ring();
    await settle();
    module.hangUp();
    server.cutMedia();
    while (!client.getSnapshot().metrics.reconnects) await settle();
    await client.sendText('Hello?');
    await settle();
    await client.disconnect();
    const { platform } = server.requests[0].client;
    return JSON.stringify({ problems, platform, uplink: server.uplink, heard: server.heard.map(({ type }) => type) });
  };
`;

test('a whole call needs nothing of the global scope that React Native lacks', async () => {
  const { outputFiles } = await build({
    stdin: { contents: CALL, resolveDir: new URL('../../', import.meta.url).pathname },
    bundle: true,
    write: false,
    define: { __WORKLETS__: '""' },
  });
  const scope = createContext({ ...GLOBALS });
  runInContext(outputFiles[0]?.text ?? '', scope);
  const held = JSON.parse(await (runInContext('hold()', scope) as Promise<string>));
  expect(held).toMatchObject({ problems: [], platform: 'native', uplink: [0] });
  expect(held.heard).toEqual(expect.arrayContaining(['tool.result', 'image', 'interrupt', 'mic', 'text', 'end']));
});
