// @vitest-environment jsdom
import { afterEach, describe, expect, test, vi } from 'vitest';
import { VivavoceCall } from '../../src/element/index.js';
import { VoiceError } from '../../src/index.js';
import { place, settled } from './page.js';

afterEach(() => {
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

type Placed = ReturnType<typeof place>;

/** A call that stands, by a click. */
async function called(...given: Parameters<typeof place>): Promise<Placed> {
  const placed = place(...given);
  placed.card.key(placed.card.keys()[0] as string).click();
  await vi.waitFor(() => expect(placed.element.client?.getSnapshot().status).toBe('connected'));
  return placed;
}

function answer({ server, engine }: Placed, text = 'At two.'): void {
  server.say({ type: 'transcript', message: 'u1', turn: 1, role: 'user', text: 'When?', final: true });
  server.say({ type: 'turn.started', turn: 1, role: 'agent' });
  server.say({ type: 'transcript', message: 'a1', turn: 1, role: 'agent', text, final: true });
  server.speak(1, 500);
  engine.player.advance(20);
}

test('a line whose words turn out to be of another turn is gone', async () => {
  const placed = await called();
  answer(placed);
  await vi.waitFor(() => expect(placed.card.lines()).toHaveLength(2));
  const retold = { type: 'transcript', turn: 1, final: true, whole: true } as const;
  placed.server.say({ ...retold, message: 'u1', role: 'user', text: '' });
  placed.server.say({ ...retold, message: 'a1', role: 'agent', text: 'At three.' });
  await vi.waitFor(() => expect(placed.card.lines()).toEqual([['Assistant', 'At', 'three.']]));
});

describe('what is loaded, and when', () => {
  test('nothing before somebody comes near', async () => {
    const { element, card } = place();
    await settled();
    expect(element.client).toBeUndefined();
    expect(card.keys()).toEqual(['start']);
    expect(card.says()).toEqual(['Talk to Assistant', 'One click opens the microphone and the line.']);
  });

  test.each(['pointerenter', 'focusin'])('the client at %s, and no call', async (type) => {
    const { element, server } = place();
    element.dispatchEvent(new Event(type));
    await vi.waitFor(() => expect(element.client).toBeDefined());
    expect(server.requests).toEqual([]);
  });

  test('the client with the page where the page asks for it', async () => {
    const { element } = place({ prepare: '' });
    await vi.waitFor(() => expect(element.client).toBeDefined());
  });

  test('the control road as well, once, which the click then uses and an element that goes closes', async () => {
    const placed = place({ prepare: '' });
    const open = () => placed.server.transport.openOn('control').length;
    await vi.waitFor(() => expect(open()).toBe(1));
    for (const type of ['pointerenter', 'focusin', 'pointerenter']) placed.element.dispatchEvent(new Event(type));
    await settled();
    expect(placed.card.says()[0]).toBe('Talk to Assistant');
    placed.card.key('start').click();
    await vi.waitFor(() => expect(placed.element.client?.getSnapshot().status).toBe('connected'));
    expect(placed.server.transport.sockets).toHaveLength(2);
    await placed.element.disconnect();
    placed.element.dispatchEvent(new Event('pointerenter'));
    await vi.waitFor(() => expect(open()).toBe(1));
    placed.element.remove();
    await vi.waitFor(() => expect(open()).toBe(0));
  });

  test('a click begins the call, also when nothing was loaded', async () => {
    const { element, server, engine, card } = await called({ agent: 'front-desk', voice: 'Kore', language: 'de-CH' });
    expect(server.requests[0]).toMatchObject({ type: 'start', agent: 'front-desk', config: { voice: 'Kore', language: 'de-CH' } });
    expect(engine.microphone.isOpen).toBe(true);
    expect(card.says()).toEqual(['Listening', 'Say something.']);
    expect(element.client?.getSnapshot().mic.status).toBe('live');
  });

  test('attributes and the property options are both wishes, and the property wins', async () => {
    const config = { language: 'fr', turns: 'manual' as const };
    const { server } = await called({ voice: 'Kore', language: 'de' }, { config, agent: 'desk' });
    expect(server.requests[0]).toMatchObject({ agent: 'desk', config: { voice: 'Kore', ...config } });
  });

  test('a call that is given up while its client is fetched is never begun', async () => {
    const { element, server, card, told } = place();
    card.key('start').click();
    expect(card.says()[0]).toBe('Connecting');
    card.key('cancel').click();
    await vi.waitFor(() => expect(element.client).toBeDefined());
    await settled();
    expect(server.requests).toEqual([]);
    expect(card.keys()).toEqual(['start']);
    expect(told).toEqual([]);
  });
});

describe('the transcript', () => {
  test('says that an answer did not come, and asks again', async () => {
    const placed = await called();
    const { server, element } = placed;
    server.say({ type: 'transcript', message: 'u1', turn: 1, role: 'user', text: 'When?', final: true });
    server.say({ type: 'turn.ended', turn: 1, role: 'agent', outcome: 'empty' });
    const find = (selector: string) => element.shadowRoot?.querySelector<HTMLElement>(selector);
    await vi.waitFor(() => expect(find('.missed')?.hidden).toBe(false));
    expect(find('.missed')?.textContent).toBe('No full answer came. Ask again');
    find('.missed button')?.click();
    await vi.waitFor(() => expect(server.heard).toContainEqual(expect.objectContaining({ type: 'text', text: 'When?' })));
  });

  test('says who said what, and strikes out what was not heard', async () => {
    const placed = await called({ label: 'Reception' });
    answer(placed, 'At two, from platform seven.');
    placed.server.say({ type: 'transcript', message: 'a1', turn: 1, role: 'agent', text: '', final: true, heard: 'At two,' });
    expect(placed.card.lines()).toEqual([
      ['You', 'When?', ''],
      ['Reception', 'At two,', 'from platform seven.'],
    ]);
    const line = placed.card.root.querySelector('[data-role=agent]') as HTMLElement;
    expect(line.dataset['cut']).toBe('true');
    expect(line.textContent).toContain('Not heard:');
  });

  test('marks what has been played while it sounds', async () => {
    const placed = await called();
    answer(placed, 'One two three four five six.');
    placed.engine.player.advance(230);
    await vi.waitFor(() => expect(placed.card.lines()[1]).toEqual(['Assistant', 'One two three four', 'five six.']));
  });

  test('stays after the call', async () => {
    const placed = await called();
    answer(placed);
    placed.card.key('end').click();
    await vi.waitFor(() => expect(placed.card.says()[0]).toBe('Call ended'));
    expect(placed.card.lines()).toHaveLength(2);
    expect(placed.card.keys()).toEqual(['start']);
  });
});

describe('keys and focus', () => {
  test('mute, stop and end are there in a call, and the focus goes to what took the place of the pressed key', async () => {
    const { card, element } = place();
    card.key('start').focus();
    card.key('start').click();
    await vi.waitFor(() => expect(card.keys()).toEqual(['mute', 'stop', 'end']));
    expect(card.focused()).toBe(card.key('mute'));
    card.key('mute').click();
    expect(element.client?.getSnapshot().mic.muted).toBe(true);
    expect(card.key('mute').getAttribute('aria-pressed')).toBe('true');
    card.key('end').focus();
    card.key('end').click();
    await vi.waitFor(() => expect(card.keys()).toEqual(['start']));
    expect(card.focused()).toBe(card.key('start'));
  });

  test('the stop key works while the agent speaks, and keeps the focus after', async () => {
    const placed = await called();
    const { card, server } = placed;
    expect(card.key('stop').getAttribute('aria-disabled')).toBe('true');
    answer(placed);
    expect(card.key('stop').getAttribute('aria-disabled')).toBe('false');
    card.key('stop').focus();
    card.key('stop').click();
    await vi.waitFor(() => expect(server.heard.some(({ type }) => type === 'interrupt')).toBe(true));
    expect(card.focused()).toBe(card.key('stop'));
  });

  test('typed words are sent, and the field is empty and has the focus', async () => {
    const { card, server } = await called();
    card.field.value = ' Hello? ';
    card.form.requestSubmit();
    await vi.waitFor(() => expect(server.heard.at(-1)).toMatchObject({ type: 'text', text: 'Hello?' }));
    expect(card.field.value).toBe('');
    expect(card.focused()).toBe(card.field);
  });

  test('what cannot be sent is said as a sentence, until something can', async () => {
    const { card } = await called();
    card.field.value = 'x'.repeat(9000);
    card.form.requestSubmit();
    await vi.waitFor(() => expect(card.alert()).toBe('That is too large to send. Send something smaller.'));
    card.field.value = 'Hello?';
    card.form.requestSubmit();
    await vi.waitFor(() => expect(card.alert()).toBeNull());
  });
});

describe('push-to-talk', () => {
  const talking = ({ element }: Placed) => element.client?.getSnapshot().mic.talking;
  const key = (type: string, code: string, repeat = false) =>
    new KeyboardEvent(type, { code, repeat, bubbles: true, composed: true, cancelable: true });

  test.each([
    ['mouse or touch', new MouseEvent('pointerdown', { button: 0 }), new MouseEvent('pointerup')],
    ['Space on the button', key('keydown', 'Space'), key('keyup', 'Space')],
    ['Enter on the button', key('keydown', 'Enter'), key('keyup', 'Enter')],
    ['the focus that goes', new MouseEvent('pointerdown', { button: 0 }), new FocusEvent('blur')],
    ['a touch that is cancelled', new MouseEvent('pointerdown', { button: 0 }), new MouseEvent('pointercancel')],
  ])('%s', async (_, down, up) => {
    const placed = await called({ mode: 'push-to-talk' });
    const hold = placed.card.key('hold');
    expect(talking(placed)).toBe(false);
    hold.dispatchEvent(down);
    expect(talking(placed)).toBe(true);
    expect(placed.card.says()).toEqual(['Listening', 'Let go when you are done.']);
    hold.dispatchEvent(up);
    expect(talking(placed)).toBe(false);
  });

  test('Space talks from the transcript and types in the field', async () => {
    const placed = await called({ mode: 'push-to-talk' });
    answer(placed);
    const log = placed.card.root.querySelector('[role=log]') as HTMLElement;
    const space = key('keydown', 'Space');
    placed.card.field.dispatchEvent(space);
    expect([talking(placed), space.defaultPrevented]).toEqual([false, false]);
    log.dispatchEvent(key('keydown', 'Space'));
    expect(talking(placed)).toBe(true);
    log.dispatchEvent(key('keyup', 'Space'));
    expect(talking(placed)).toBe(false);
  });

  test('the mode may change in the middle of a call', async () => {
    const placed = await called();
    placed.element.setAttribute('mode', 'push-to-talk');
    expect(placed.card.keys()).toEqual(['hold', 'stop', 'end']);
    placed.engine.microphone.speak(100);
    expect(placed.server.uplink).toHaveLength(0);
  });
});

describe('what a screen reader hears', () => {
  test('finished words and changes of state, and nothing while the agent speaks', async () => {
    const { card, element, server, engine } = await called();
    expect(card.announced()).toContain('Listening');
    server.say({ type: 'turn.started', turn: 1, role: 'agent' });
    server.speak(1, 500);
    engine.player.advance(20);
    server.say({ type: 'transcript', message: 'u1', turn: 1, role: 'user', text: 'When?', final: true });
    expect(element.client?.getSnapshot().agent).toBe('speaking');
    expect(card.announced()).not.toContain('When?');
    server.say({ type: 'turn.audio_end', turn: 1 });
    engine.player.advance(500);
    await vi.waitFor(() => expect(card.announced()).toBe('You said: When?'));
  });

  test('the answers too, where no voice says them', async () => {
    const { card, server } = await called({ 'text-only': '', label: 'Reception' });
    server.say({ type: 'transcript', message: 'a1', turn: 1, role: 'agent', text: 'At two.', final: true });
    expect(card.announced()).toContain('Reception: At two.');
  });
});

test('text only: no microphone, no sound, and the field has the focus', async () => {
  const { card, engine } = place({ 'text-only': '' });
  expect(card.says()).toEqual(['Write to Assistant', 'No microphone, no sound.']);
  card.key('startText').focus();
  card.key('startText').click();
  await vi.waitFor(() => expect(card.keys()).toEqual(['end']));
  expect(engine.microphone.options).toBeNull();
  expect(card.focused()).toBe(card.field);
  expect(card.root.querySelector<HTMLElement>('.tape')?.hidden).toBe(true);
});

describe('errors', () => {
  test('a microphone that is refused is told with what to do, and one can type instead', async () => {
    const { card, engine, told, element } = place();
    engine.microphone.refusal = new VoiceError('mic_denied');
    card.key('start').click();
    await vi.waitFor(() => expect(card.alert()).toContain('Microphone access is blocked.'));
    expect(told.filter(([type]) => type === 'error')).toEqual([['error', expect.objectContaining({ code: 'mic_denied' })]]);
    expect(card.offers()).toEqual(['Listen and type instead']);
    card.press('Listen and type instead');
    await vi.waitFor(() => expect(card.says()).toEqual(['Listening', 'Your microphone is off. Type, or turn it on.']));
    expect(card.alert()).toBeNull();
    engine.microphone.refusal = null;
    card.key('microphone').click();
    await vi.waitFor(() => expect(element.client?.getSnapshot().mic.status).toBe('live'));
    expect(card.keys()).toEqual(['mute', 'stop', 'end']);
  });

  test('connect() rejects with what is shown', async () => {
    const { element, card, engine } = place();
    engine.microphone.refusal = new VoiceError('mic_not_found');
    await expect(element.connect()).rejects.toMatchObject({ code: 'mic_not_found' });
    expect(card.alert()).toBe('No microphone was found. Connect one and try again.');
  });

  test('without an address it is the page that is set up wrongly', async () => {
    const { element, card } = place();
    element.options = { ...element.options, session: undefined as never };
    await expect(element.connect()).rejects.toMatchObject({ code: 'bad_options' });
    expect(card.alert()).toBe('This page is set up wrongly. Tell the people who run it.');
  });

  test('other words, also for errors', async () => {
    const { element, card, engine } = place({ label: 'Empfang' });
    element.words = { ready: 'Sprich mit {name}', start: 'Los', mic_denied: 'Das Mikrofon ist gesperrt.' };
    expect(card.says()[0]).toBe('Sprich mit Empfang');
    expect(card.key('start').textContent).toBe('Los');
    engine.microphone.refusal = new VoiceError('mic_denied');
    card.key('start').click();
    await vi.waitFor(() => expect(card.alert()).toBe('Das Mikrofon ist gesperrt.'));
  });
});

describe('token-url', () => {
  /** A page's own backend. */
  function backend(answer: () => Response | Promise<Response>) {
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (url: string) => {
      asked.push(url);
      return answer();
    });
    return asked;
  }
  const attributes = { 'token-url': '/token', url: 'wss://control.test' };

  test('a token as text, and a fresh one for each call', async () => {
    const asked = backend(() => new Response('a.jwt\n'));
    const { card, server } = place(attributes);
    const { transport } = server;
    const { element } = place(attributes);
    element.options = { transport, audio: false };
    await element.connect();
    await element.disconnect();
    await element.connect();
    expect(asked).toEqual(['/token', '/token']);
    expect(card.keys()).toEqual(['start']);
  });

  test('JSON may say where to call as well', async () => {
    backend(() => Response.json({ token: 'a.jwt', url: 'wss://elsewhere.test' }));
    const { element, server } = place({ 'token-url': '/token' }, {});
    element.options = { transport: server.transport, audio: false };
    await element.connect();
    expect(server.requests[0]).toMatchObject({ type: 'start' });
    expect(element.client?.getSnapshot().status).toBe('connected');
  });

  test('another token-url says anew where to call', async () => {
    const { element, server } = place({ 'token-url': '/old' });
    element.options = { transport: server.transport, audio: false };
    backend(() => Response.json({ token: 'a.jwt' }));
    await expect(element.connect()).rejects.toMatchObject({ code: 'bad_options', ref: 'session.url' });
    const asked = backend(() => Response.json({ token: 'a.jwt', url: 'wss://elsewhere.test' }));
    element.setAttribute('token-url', '/new');
    await element.connect();
    expect(asked).toEqual(['/new']);
  });

  test('the answer that says where to call admits the first call, and no second', async () => {
    const asked = backend(() => Response.json({ token: 'a.jwt', url: 'wss://elsewhere.test' }));
    const { element, server } = place({ 'token-url': '/token' });
    element.options = { transport: server.transport, audio: false };
    await element.prepare();
    await element.connect();
    expect(asked).toEqual(['/token']);
    await element.disconnect();
    await element.connect();
    expect(asked).toEqual(['/token', '/token']);
  });

  test.each([
    ['token_failed', () => new Response('', { status: 401 })],
    ['connect_failed', () => new Response('', { status: 503 })],
    ['connect_failed', () => Promise.reject(new TypeError('Failed to fetch'))],
    ['token_failed', () => new Response('{"token"')],
  ])('%s', async (code, answer) => {
    backend(answer);
    const { element, server, card } = place({ 'token-url': '/token' });
    element.options = { transport: server.transport, audio: false };
    await expect(element.connect()).rejects.toMatchObject({ code });
    expect(card.alert()).toMatch(/^(You are not signed in any more|The server cannot be reached)/);
  });
});

describe('the element on its page', () => {
  test('tells of the call and its messages by events that do not bubble', async () => {
    const seen: string[] = [];
    document.body.addEventListener('message', () => seen.push('message'));
    const placed = await called();
    answer(placed);
    const { told } = placed;
    expect(told.filter(([type]) => type === 'call').map(([, detail]) => (detail as { status: string }).status)).toEqual(['connecting', 'connected']);
    expect(told.filter(([type]) => type === 'message').map(([, detail]) => (detail as { text: string }).text)).toEqual(['When?', 'At two.']);
    expect(seen).toEqual([]);
  });

  test('moving it keeps the call, removing it ends the call, and it may come back', async () => {
    const { element, card } = await called();
    document.body.append(document.createElement('main'));
    document.querySelector('main')?.append(element);
    await settled();
    expect(element.client?.getSnapshot().status).toBe('connected');
    element.remove();
    await vi.waitFor(() => expect(element.client?.getSnapshot().status).toBe('closed'));
    document.body.append(element);
    expect(element.shadowRoot?.querySelector('.state')?.textContent).toBe('Call ended');
    await element.connect();
    expect(element.shadowRoot?.querySelectorAll('.card')).toHaveLength(1);
    expect(card.root).toBe(element.shadowRoot);
  });

  test('properties that were set before it was defined count', () => {
    const early = document.createElement('early-call');
    Object.assign(early, { words: { start: 'Los' }, options: { agent: 'desk' } });
    document.body.append(early);
    customElements.define('early-call', class extends VivavoceCall {});
    expect((early as VivavoceCall).options).toEqual({ agent: 'desk' });
    expect(early.shadowRoot?.querySelector('[data-key=start]')?.textContent).toBe('Los');
  });

  test('worklets as files of the page, where its policy wants files', async () => {
    const { element } = place({ worklets: '/voice' });
    const client = await element.prepare();
    const spied = vi.spyOn(client, 'update');
    await element.connect();
    expect(spied.mock.calls[0]?.[0].audio).toMatchObject({
      workletUrls: { capture: 'http://localhost:3000/voice/capture.js', playback: 'http://localhost:3000/voice/playback.js' },
    });
  });
});
