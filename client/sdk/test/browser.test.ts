// The built package in a real browser: CHROMIUM=/usr/bin/chromium npx vitest run test/browser.test.ts
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

const executablePath = process.env.CHROMIUM;
const DIST = new URL('../dist/', import.meta.url);
const STRICT = "default-src 'self'; script-src 'self'";
const HTML = '<!doctype html><title>test</title><button>call</button><script type="module" src="/page.js"></script>';
/** Runs in the page: a client with the browser's audio and a server of the test kit. */
const PAGE = `
import { VoiceClient } from '/index.js';
import { FakeServer } from '/testing.js';
window.setUp = (audio) => {
  const server = new FakeServer();
  const client = new VoiceClient({ session: { url: 'wss://x.test', token: 'a.jwt' }, transport: server.transport, audio });
  const events = [];
  for (const name of ['error', 'agentspeechend', 'underrun']) client.on(name, (data) => events.push([name, data.code ?? data]));
  window.rig = { server, client, events };
  client.on('statechange', ({ speaker }, before) => {
    if (speaker.unlocked !== before.speaker.unlocked) events.push(['unlocked', speaker.unlocked]);
  });
  document.querySelector('button').onclick = () => {
    window.result = client.connect().then((info) => ({ info }), ({ code, message }) => ({ code, message }));
  };
};
// No click, and no script of a debugger, which would count as one: what is seen is written to the console.
const { searchParams } = new URL(location.href);
if (searchParams.has('auto')) {
  setUp({ mic: { start: searchParams.get('auto') } });
  rig.client.connect();
  setTimeout(() => {
    const { status, speaker, mic } = rig.client.getSnapshot();
    console.info(JSON.stringify({ status, mic: mic.status, unlocked: speaker.unlocked, frames: rig.server.uplink.length, events: rig.events }));
  }, 5000);
}
`;

let server: Server;
let port: number;
/** By their flags: a browser is started once for each, and every visit has a context of its own in it. */
const browsers = new Map<string, Promise<Browser>>();
const pages: Page[] = [];
/** By path: an app that Vite has built. */
const built = new Map<string, string | Uint8Array>();

beforeAll(async () => {
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
    const page = built.get(pathname);
    if (page !== undefined) return void response.writeHead(200, headersOf(pathname)).end(page);
    const isScript = pathname.endsWith('.js');
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    if (searchParams.has('strict')) response.setHeader('Content-Security-Policy', STRICT);
    response.end(!isScript ? HTML : pathname === '/page.js' ? PAGE : readFileSync(new URL(`.${pathname}`, DIST)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as { port: number }).port;
});
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});
afterAll(async () => {
  for (const browser of browsers.values()) await (await browser).close();
  server.close();
});

function headersOf(path: string): Record<string, string> {
  const type = path.endsWith('.js') ? 'text/javascript' : 'text/html';
  return { 'Content-Type': type, 'Content-Security-Policy': STRICT };
}

/** An app that does what the README says under this heading, built by Vite as it comes; served under `/app/`. */
async function buildRecipe(heading: string): Promise<void> {
  const [, recipe = ''] = readFileSync(new URL('../README.md', import.meta.url), 'utf8').split(`## ${heading}`);
  const [, code = ''] = recipe.split(/```(?:ts)?\n/);
  const root = mkdtempSync(join(tmpdir(), 'vivavoce-app-'));
  mkdirSync(join(root, 'node_modules'));
  symlinkSync(fileURLToPath(new URL('..', import.meta.url)), join(root, 'node_modules', 'vivavoce'));
  const app = `import { VoiceClient } from 'vivavoce';
    import { FakeServer } from 'vivavoce/testing';
    const server = new FakeServer();
    const session = { url: 'wss://x.test', token: 'a.jwt' };
    ${code.replace('new VoiceClient({', 'const client = new VoiceClient({ transport: server.transport,')}
    window.setUp = () => {};
    document.querySelector('button').onclick = () => {
      window.result = client.connect().then((info) => ({ info }), ({ code }) => ({ code }));
    };`;
  writeFileSync(join(root, 'main.js'), app);
  writeFileSync(join(root, 'index.html'), HTML.replace('/page.js', '/main.js'));
  const made = await build({ root, base: '/app/', logLevel: 'error', configFile: false, build: { write: false } });
  for (const file of (made as { output: { fileName: string; code?: string; source?: string | Uint8Array }[] }).output)
    built.set(`/app/${file.fileName}`, file.code ?? file.source ?? '');
  rmSync(root, { recursive: true });
}

const FAKE = ['--use-fake-device-for-media-stream'];
const ALLOWED = [...FAKE, '--use-fake-ui-for-media-stream'];

interface Told {
  status: string;
  mic: string;
  unlocked: boolean;
  frames: number;
  events: [string, unknown][];
}

function launched(flags: string[]): Promise<Browser> {
  const key = flags.join(' ');
  const running =
    browsers.get(key) ??
    chromium.launch({
      ...(executablePath && { executablePath }),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--host-resolver-rules=MAP insecure.test 127.0.0.1',
        ...flags,
      ],
    });
  browsers.set(key, running);
  return running;
}

async function visit(flags: string[], query = '', host = '127.0.0.1'): Promise<Page & { told: Told }> {
  const page = await (await launched(flags)).newPage();
  pages.push(page);
  const told = page.waitForEvent('console', { predicate: (line) => line.type() === 'info', timeout: 30_000 });
  told.catch(() => {}); // most pages tell nothing
  await page.goto(`http://${host}:${port}/${query}`);
  if (query.includes('auto')) return Object.assign(page, { told: JSON.parse((await told).text()) as Told });
  await page.waitForFunction('window.setUp');
  return Object.assign(page, { told: {} as Told });
}

async function connect(page: Page, audio: object = {}): Promise<{ code?: string; info?: object }> {
  await page.evaluate((options) => (window as never as { setUp(audio: object): void }).setUp(options), audio);
  await page.click('button');
  return await page.evaluate('window.result');
}

describe.skipIf(!executablePath)('in Chromium', { timeout: 60_000 }, () => {
  test('records at 50 frames a second, plays, and knows what was heard', async () => {
    const page = await visit(ALLOWED);
    expect(await connect(page)).toEqual({ info: { sessionId: 's1', resumed: false } });
    const frames = await page.evaluate(`new Promise((resolve) => {
      const from = rig.server.uplink.length;
      setTimeout(() => resolve(rig.server.uplink.length - from), 2000);
    })`);
    expect(frames).toBeGreaterThan(90);
    expect(frames).toBeLessThan(110);
    await page.evaluate(`for (let n = 0; n < 25; n += 1) rig.server.speak(1, 40);
      rig.server.say({ type: 'turn.audio_end', turn: 1 });`);
    await page.waitForFunction(`rig.events.some(([name]) => name === 'agentspeechend')`);
    const [[, played]] = (await page.evaluate('rig.events')) as [[string, { playedMs: number }]];
    expect(played).toEqual({ turn: 1, playedMs: 1000, droppedMs: 0, interrupted: false });
    await page.evaluate(`for (let n = 0; n < 100; n += 1) rig.server.speak(2, 40);`);
    await page.waitForTimeout(1500);
    const stopped = (await page.evaluate('rig.client.interrupt()')) as { playedMs: number; droppedMs: number };
    expect(stopped.playedMs + stopped.droppedMs).toBeGreaterThan(3990);
    expect(stopped.playedMs).toBeGreaterThan(1000);
    expect(stopped.playedMs).toBeLessThan(1800);
    await page.evaluate('rig.client.disconnect()');
    expect(await page.evaluate('rig.client.getSnapshot().status')).toBe('closed');
  });

  test('a call that begins without a click hears its user: a page that captures may play', async () => {
    const { told } = await visit(ALLOWED, '?auto=auto');
    expect(told).toMatchObject({ status: 'connected', mic: 'live', unlocked: true });
    expect(told.frames).toBeGreaterThan(100);
  });

  test('without a click and without a microphone nothing sounds: the state says so, and so does an event', async () => {
    const page = await visit(ALLOWED, '?auto=manual');
    expect(page.told).toMatchObject({ status: 'connected', mic: 'off', unlocked: false });
    expect(page.told.events).toEqual([['unlocked', false], ['error', 'audio_blocked']]);
    await page.click('button'); // any click on the page
    await page.waitForFunction('rig.client.getSnapshot().speaker.unlocked');
  });

  test.each(['context', 'element'])('the voice goes to a speaker that is chosen, by its %s, and back', async (by) => {
    const page = await visit(ALLOWED);
    await page.evaluate(`window.sent = [];
      for (const type of [AudioContext, HTMLMediaElement]) {
        const send = type.prototype.setSinkId;
        type.prototype.setSinkId = function (id) { sent.push([type.name, id]); return send.call(this, id); };
      }
      if (${by === 'element'}) delete AudioContext.prototype.setSinkId;`);
    await connect(page);
    const [chosen, other] = (await page.evaluate(`rig.client.devices.list().then(({ outputs }) => outputs
      .map(({ deviceId }) => deviceId).filter((id) => id !== 'default'))`)) as string[];
    await page.evaluate(`Promise.all([rig.client.speaker.setDevice('${other}'), rig.client.speaker.setDevice('${chosen}')])`);
    const speak = async (turn: number) => {
      await page.evaluate(`rig.server.speak(${turn}, 200); rig.server.say({ type: 'turn.audio_end', turn: ${turn} });`);
      await page.waitForFunction(`rig.events.some(([name, { turn }]) => name === 'agentspeechend' && turn === ${turn})`);
    };
    await speak(1);
    expect(await page.evaluate('rig.client.getSnapshot().speaker.deviceId')).toBe(chosen);
    await page.evaluate('rig.client.speaker.setDevice(null)');
    await speak(2);
    const type = by === 'element' ? 'HTMLMediaElement' : 'AudioContext';
    const back = by === 'element' ? [] : [[type, '']];
    expect(await page.evaluate('sent')).toEqual([[type, other], [type, chosen], ...back]);
    await expect(page.evaluate(`rig.client.speaker.setDevice('gone')`)).rejects.toThrow(/speaker_unsupported/);
    await page.evaluate('rig.client.disconnect()');
  });

  test('a strict CSP blocks the worklets inside, and takes them as files', async () => {
    const page = await visit(ALLOWED, '?strict');
    expect((await connect(page)).code).toBe('worklet_blocked');
    const workletUrls = { capture: '/worklets/capture.js', playback: '/worklets/playback.js' };
    expect(await connect(page, { workletUrls })).toHaveProperty('info');
  });

  test('the README’s recipe for one holds with Vite as it comes', async () => {
    await buildRecipe('A strict Content-Security-Policy');
    const page = await visit(ALLOWED, 'app/index.html');
    await page.click('button');
    expect(await page.evaluate('window.result')).toHaveProperty('info');
  });

  test('a microphone that is denied, missing, or on an insecure page', async () => {
    const denied = await visit([...FAKE, '--deny-permission-prompts']);
    expect((await connect(denied)).code).toBe('mic_denied');
    const missing = await visit(['--use-fake-ui-for-media-stream']);
    expect((await connect(missing)).code).toBe('mic_not_found');
    const insecure = await visit(ALLOWED, '', 'insecure.test');
    expect((await connect(insecure)).code).toBe('insecure_context');
  });
});
