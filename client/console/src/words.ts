import type { VoiceState } from 'vivavoce';
import type { TalkMode } from './audio';

export interface Words {
  /** one or two words, the big ones */
  readonly state: string;
  /** what to do now */
  readonly hint: string;
}

/** The state of things in words. */
export function wordsFor(state: VoiceState, mode: TalkMode): Words {
  switch (state.status) {
    case 'idle':
      return { state: 'Ready', hint: 'One click opens the microphone and the line.' };
    case 'connecting':
      return { state: 'Connecting', hint: waiting(state) };
    case 'reconnecting':
      return { state: 'Reconnecting', hint: 'Keep talking: the last two seconds are kept and sent again.' };
    case 'closing':
      return { state: 'Ending', hint: 'Waiting for the server’s word that the call has ended.' };
    case 'closed':
      return { state: 'Call ended', hint: 'The words stay here until you start again.' };
    case 'failed':
      return { state: 'Not connected', hint: 'See above for what can be done.' };
    case 'connected':
      return inCall(state, mode);
  }
}

function waiting({ starting, mic }: VoiceState): string {
  if (mic.status === 'requesting') return 'The browser asks for the microphone: allow it.';
  if (!starting || starting.stage === 'admitted') return 'Asking for a place.';
  if (starting.stage === 'model') return 'The model is joining.';
  const about = starting.etaMs > 0 ? `, about ${Math.ceil(starting.etaMs / 1000)} s` : '';
  return `A server that slept is waking${about}.`;
}

function inCall(state: VoiceState, mode: TalkMode): Words {
  switch (state.agent) {
    case 'speaking':
      return { state: 'Speaking', hint: mode === 'open' ? 'Talk over it to interrupt.' : 'Press to talk over it.' };
    case 'thinking':
      return { state: 'Thinking', hint: 'It heard you.' };
    default:
      return { state: 'Listening', hint: listening(state, mode) };
  }
}

function listening(state: VoiceState, mode: TalkMode): string {
  if (state.mic.muted) return 'Your microphone is muted.';
  if (state.mic.status === 'error') return 'It does not hear you: the microphone has a problem.';
  if (mode === 'hold') return state.mic.talking ? 'Let go when you are done.' : 'Hold the button or the space bar and talk.';
  if (mode === 'toggle') return state.mic.talking ? 'Press again when you are done.' : 'Press the button or the space bar and talk.';
  return 'Say something.';
}

/** What the microphone does. It is open before anybody hears it, and with a key only while that is held. */
export function microphoneWords({ status, mic }: VoiceState, mode: TalkMode): string {
  switch (mic.status) {
    case 'off':
      return 'mic off';
    case 'requesting':
      return 'asking for the mic…';
    case 'muted':
      return 'muted';
    case 'paused':
      return 'paused by the system';
    case 'error':
      return 'mic problem';
    case 'live':
      if (status === 'connecting') return 'mic open, not heard yet';
      return mode === 'open' || mic.talking ? 'mic on' : 'waiting for the key';
  }
}

/** A name as a person would write it. */
export function title(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1).replaceAll(/[-_]/g, ' ');
}

/** Minutes and seconds since a moment. */
export function timecode(ms: number): string {
  const whole = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
