// The app with a scripted server in place of a network: what a phone does to it, without waiting.
import { act, fireEvent, render, screen } from '@testing-library/react-native/pure';
import { AppState } from 'react-native';
import { FakeServer, type FakePhone } from 'vivavoce/testing';
import { App } from '../App';
import { audio } from '../modules/vivavoce-audio';

// App.tsx makes its transport when it is loaded: it gets one that asks for the present server.
let mockServer: FakeServer;
jest.mock('vivavoce/react-native', () => {
  const actual = jest.requireActual('vivavoce/react-native');
  const transport = { open: (...given: unknown[]) => (mockServer.transport.open as (...all: unknown[]) => unknown)(...given) };
  return { ...actual, phone: (...given: unknown[]) => ({ ...actual.phone(...given), transport }) };
});

const phone = audio as unknown as FakePhone;
const session = { url: 'wss://control.test', token: async () => 'a.jwt' };
const settle = (ms = 10) => act(() => new Promise<void>((resolve) => setTimeout(resolve, ms)));
const micTold = () => mockServer.heard.filter(({ type }) => type === 'mic').map(({ state }) => state);

function appGoes(state: string): void {
  const listen = AppState.addEventListener as jest.Mock;
  for (const [event, listener] of listen.mock.calls) if (event === 'change') listener(state);
}

/** The agent answers; 100 ms of it are heard. */
async function answer(turn: number): Promise<void> {
  mockServer.say({ type: 'turn.started', turn, role: 'agent' });
  mockServer.say({ type: 'transcript', message: `a${turn}`, turn, role: 'agent', text: 'A long answer.', final: true });
  mockServer.speak(turn, 400);
  phone.player.advance(100);
  await settle();
}

beforeEach(async () => {
  mockServer = new FakeServer();
  render(<App session={session} />);
  fireEvent.press(screen.getByText('Call'));
  await settle();
  screen.getByText('listening');
});

afterEach(async () => {
  fireEvent.press(screen.getByText('Hang up'));
  await settle();
  screen.getByText('closed');
  screen.unmount();
  expect(phone).toMatchObject({ isPrepared: false, isRecording: false });
});

test('a barge-in silences the agent, and only what was heard stays on the screen', async () => {
  phone.speak(new Uint8Array(640 * 5).fill(1));
  await answer(1);
  screen.getByText('speaking');
  expect(mockServer.uplink).toEqual([0, 1, 2, 3, 4]);
  mockServer.say({ type: 'turn.interrupted', turn: 1, cause: 'user' });
  mockServer.say({ type: 'transcript', message: 'a1', turn: 1, role: 'agent', text: '', final: true, heard: 'A long' });
  await settle();
  screen.getByText('listening');
  screen.getByText('A long');
  expect(mockServer.heard.at(-1)).toMatchObject({ type: 'playback', state: 'flushed', played_ms: 100 });
});

test('a cut connection comes back', async () => {
  mockServer.cutMedia();
  await settle(0);
  screen.getByText('reconnecting');
  for (let left = 100; left && !screen.queryByText('listening'); left -= 1) await settle();
  screen.getByText('listening');
});

test('behind another app nothing is heard, the relay is told, and all comes back with the app', async () => {
  appGoes('background');
  await settle();
  screen.getByText('Paused.');
  expect(phone.isRecording).toBe(false);
  appGoes('active');
  await settle();
  expect(screen.queryByText('Paused.')).toBeNull();
  expect(micTold()).toEqual(['open', 'paused', 'open']);
});

test('a phone call pauses the microphone, says why, and it goes on after it', async () => {
  await answer(1);
  phone.ring();
  await settle();
  screen.getByText('Paused: another app has the audio.');
  phone.hangUp();
  await settle();
  expect(screen.queryByText(/^Paused/)).toBeNull();
  expect(phone.isRecording).toBe(true);
  expect(micTold()).toEqual(['open', 'paused', 'open']);
});

test('a Bluetooth headset that is switched on and off is on the screen', async () => {
  const handset = await phone.routes();
  const headset = { id: 'bt', label: 'Headset' };
  await act(async () => phone.reroute({ ...handset, inputs: [headset], outputs: [headset], input: 'bt', output: 'bt' }));
  screen.getByText('Headset');
  await act(async () => phone.reroute(handset));
  screen.getByText('Microphone');
  expect(micTold()).toEqual(['open']);
});

test('push-to-talk by a finger, and by a screen reader, which cannot hold', async () => {
  await act(async () => fireEvent(screen.getByText('Hold to talk'), 'pressIn'));
  await act(async () => fireEvent(screen.getByText('Let go to end'), 'pressOut'));
  await settle();
  await act(async () => fireEvent.press(screen.getByText('Hold to talk')));
  await act(async () => fireEvent.press(screen.getByText('Let go to end')));
  screen.getByText('Hold to talk');
});
