// The app on React Native's own JavaScript, with the local stack; the two native modules are faked (setup.js).
import { readFileSync } from 'node:fs';
import path from 'node:path';
// Pure: the screen stays until the call on it is over.
import { fireEvent, render, screen, waitFor } from '@testing-library/react-native/pure';
import { AppState } from 'react-native';
import type { FakePhone } from 'vivavoce/testing';
import { App } from '../App';
import { audio } from '../modules/vivavoce-audio';
import { session } from '../session';
import { cut, opened } from './websocket-module';

const phone = audio as unknown as FakePhone;
const SAMPLES = path.resolve(__dirname, '../../../../simulator/samples');
const FRAME_BYTES = 640;
const PATIENCE = { timeout: 60_000, interval: 50 };
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let play: ReturnType<typeof setInterval>;

beforeAll(() => {
  // Real sockets change the screen when they like.
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: false });
});

beforeEach(async () => {
  opened.length = 0;
  play = setInterval(() => phone.isOurs && phone.player.advance(20), 20);
  render(<App session={await session(process.env.VIVAVOCE_PAGE)} />);
  fireEvent.press(screen.getByText('Call'));
  await waitFor(() => screen.getByText('listening'), PATIENCE);
});

afterEach(async () => {
  clearInterval(play);
  fireEvent.press(screen.getByText('Hang up'));
  await waitFor(() => screen.getByText('closed'), PATIENCE);
  screen.unmount();
  await waitFor(() => expect(phone).toMatchObject({ isPrepared: false, isRecording: false }));
});

/** A recording at the pace of a voice, then silence so that its end is heard. */
async function speak(file: string): Promise<void> {
  const wav = readFileSync(path.join(SAMPLES, file)).subarray(44);
  const end = wav.length + 75 * FRAME_BYTES;
  for (let at = 0; at < end; at += FRAME_BYTES) {
    const frame = new Uint8Array(FRAME_BYTES);
    frame.set(wav.subarray(at, at + FRAME_BYTES));
    phone.speak(frame);
    await sleep(20);
  }
}

/** The states of the microphone that the relay was told. */
function micTold(): (string | undefined)[] {
  return opened.flatMap(({ said }) => said.filter(({ type }) => type === 'mic').map(({ state }) => state));
}

/** What was said on the media road, by type. */
function said(type: string) {
  return opened.flatMap((entry) => entry.said.filter((message) => message.type === type));
}

const words = (role: string) => screen.queryAllByTestId(role).map((line) => line.props.children).join(' ');
const agentIs = (state: string) => waitFor(() => screen.getByText(state), PATIENCE);

/** React Native's `AppState` says so to all its listeners. */
function appGoes(state: string): void {
  const listen = AppState.addEventListener as jest.Mock;
  for (const [event, listener] of listen.mock.calls) if (event === 'change') listener(state);
}

test('both roads see an Origin of React Native’s own making, and the credential in Authorization only', () => {
  expect(opened.map(({ url, headers }) => [headers.origin, url.replace(/^ws/, 'http').startsWith(headers.origin ?? '!')]))
    .toEqual([[expect.any(String), true], [expect.any(String), true]]);
  for (const { headers, protocols, url } of opened) {
    expect(headers.Authorization).toMatch(/^Bearer ./);
    expect(protocols).toEqual(['vivavoce']);
    expect(url).not.toContain(headers.Authorization?.slice(7));
  }
});

test('a spoken question is written down, answered and heard to its end', async () => {
  void speak('question.wav');
  await agentIs('speaking');
  await agentIs('listening');
  expect(words('user')).not.toBe('');
  expect(words('agent')).not.toBe('');
  expect(said('playback').at(-1)).toMatchObject({ state: 'drained' });
});

test('speaking over the agent silences it at once, and only what was heard stays on the screen', async () => {
  void speak('question.wav');
  await agentIs('speaking');
  const asked = phone.player.played.length;
  void speak('interruption.wav');
  await waitFor(() => expect(said('playback').at(-1)).toMatchObject({ state: 'flushed' }), PATIENCE);
  expect(asked).toBeGreaterThan(0);
  await agentIs('speaking');
});

test('a cut connection comes back, and the conversation goes on', async () => {
  const before = opened.length;
  cut();
  await agentIs('reconnecting');
  await agentIs('listening');
  expect(opened.length).toBeGreaterThan(before);
  void speak('question.wav');
  await agentIs('speaking');
});

test('behind another app nothing is heard, the relay is told, and all comes back with the app', async () => {
  appGoes('background');
  await waitFor(() => screen.getByText('Paused.'), PATIENCE);
  expect(phone.isRecording).toBe(false);
  appGoes('active');
  await waitFor(() => expect(screen.queryByText('Paused.')).toBeNull(), PATIENCE);
  await waitFor(() => expect(micTold()).toEqual(['open', 'paused', 'open']), PATIENCE);
  void speak('question.wav');
  await agentIs('speaking');
});

test('a phone call pauses the answer and the microphone, says why, and both go on after it', async () => {
  void speak('question.wav');
  await agentIs('speaking');
  phone.ring();
  await waitFor(() => screen.getByText('Paused: another app has the audio.'), PATIENCE);
  const queued = phone.player.played.length;
  expect(phone.isRecording).toBe(false);
  phone.hangUp();
  await waitFor(() => expect(screen.queryByText(/^Paused/)).toBeNull(), PATIENCE);
  expect(phone.isRecording).toBe(true);
  await agentIs('listening');
  expect(phone.player.played.length).toBeGreaterThanOrEqual(queued);
  expect(micTold()).toEqual(['open', 'paused', 'open']);
  expect(said('playback').at(-1)).toMatchObject({ state: 'drained' });
});

test('a Bluetooth headset that is switched on and off is on the screen, and the call goes on', async () => {
  const handset = await phone.routes();
  const headset = { id: 'bt', label: 'Headset' };
  screen.getByText('Microphone');
  phone.reroute({
    inputs: [...handset.inputs, headset],
    outputs: [...handset.outputs, headset],
    input: 'bt',
    output: 'bt',
  });
  await waitFor(() => screen.getByText('Headset'), PATIENCE);
  void speak('question.wav');
  await agentIs('speaking');
  phone.reroute(handset);
  await waitFor(() => screen.getByText('Microphone'), PATIENCE);
  await agentIs('listening');
  expect(micTold()).toEqual(['open']);
});
