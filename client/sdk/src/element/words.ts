import type { VoiceState } from '../state.js';

const ENGLISH = {
  region: 'Voice call with {name}',
  agent: 'Assistant',
  you: 'You',
  typed: 'typed',
  transcript: 'Transcript',
  latest: 'To the latest',
  interrupted: 'interrupted',
  unheardAll: 'interrupted before a word was heard',
  unheard: 'Not heard:',
  missed: 'No full answer came.',
  again: 'Ask again',
  youSaid: 'You said:',
  reconnected: 'Connected again. The conversation goes on.',

  start: 'Start talking',
  startText: 'Start writing',
  cancel: 'Cancel',
  mute: 'Mute microphone',
  microphone: 'Turn microphone on',
  hold: 'Hold to talk',
  stop: 'Stop answer',
  end: 'End call',
  field: 'Type instead',
  fieldText: 'Write a message',
  send: 'Send',
  silent: 'Listen and type instead',
  unlock: 'Turn sound on',

  ready: 'Talk to {name}',
  readyHint: 'One click opens the microphone and the line.',
  readyText: 'Write to {name}',
  readyTextHint: 'No microphone, no sound.',
  connecting: 'Connecting',
  loadingHint: 'One moment.',
  askingHint: 'The browser asks for the microphone: allow it.',
  placeHint: 'Asking for a place.',
  modelHint: 'The model is joining.',
  wakingHint: 'A server that slept is waking.',
  wakingForHint: 'A server that slept is waking, about {seconds} s.',
  reconnecting: 'Reconnecting',
  reconnectingHint: 'Keep talking: the last two seconds are kept and sent again.',
  reconnectingTextHint: 'The conversation goes on in a moment.',
  closing: 'Ending',
  closed: 'Call ended',
  closedHint: 'The words stay here until you start again.',
  failed: 'Not connected',
  speaking: 'Speaking',
  speakingHint: 'Talk over it to interrupt.',
  speakingHoldHint: 'Press to talk over it.',
  thinking: 'Thinking',
  thinkingHint: 'It heard you.',
  listening: 'Listening',
  listeningHint: 'Say something.',
  mutedHint: 'Your microphone is muted.',
  offHint: 'Your microphone is off. Type, or turn it on.',
  holdHint: 'Hold the button or the space bar and talk.',
  letGoHint: 'Let go when you are done.',
  writing: 'Connected',
  writingHint: 'Write something.',

  load_failed: 'The call could not be loaded. Check your connection and try again.',
  audio_blocked: 'The browser keeps the sound off.',
} as const;

export type WordKey = keyof typeof ENGLISH;

/** Every word that the element shows, in English. `{name}` is the agent's, `{seconds}` a wait. */
export const WORDS: Readonly<Record<WordKey, string>> = ENGLISH;

/** Other words in place of the English ones: by key, and by `error.code` for what a user can do about an error. */
export type Words = Partial<Record<WordKey, string>> & Readonly<Record<string, string>>;

export type Mode = 'open' | 'push-to-talk';

/** What of the element decides which words there are. */
export interface Manner {
  readonly mode: Mode;
  readonly isTextOnly: boolean;
  /** The client is being fetched. */
  readonly isLoading: boolean;
}

/** The state of things in one or two words, and what to do now; keys of `WORDS`. Null: there is nothing to say. */
export function stateWords(state: VoiceState, manner: Manner): readonly [WordKey, WordKey | null] {
  if (manner.isLoading) return ['connecting', 'loadingHint'];
  switch (state.status) {
    case 'idle':
      return manner.isTextOnly ? ['readyText', 'readyTextHint'] : ['ready', 'readyHint'];
    case 'connecting':
      return ['connecting', waiting(state)];
    case 'reconnecting':
      return ['reconnecting', manner.isTextOnly ? 'reconnectingTextHint' : 'reconnectingHint'];
    case 'closing':
      return ['closing', null];
    case 'closed':
      return ['closed', state.messages.length > 0 ? 'closedHint' : null];
    case 'failed':
      return ['failed', null];
    case 'connected':
      return inCall(state, manner);
  }
}

function waiting({ starting, mic }: VoiceState): WordKey {
  if (mic.status === 'requesting') return 'askingHint';
  if (!starting || starting.stage === 'admitted') return 'placeHint';
  if (starting.stage === 'model') return 'modelHint';
  return starting.etaMs > 0 ? 'wakingForHint' : 'wakingHint';
}

function inCall(state: VoiceState, { mode, isTextOnly }: Manner): readonly [WordKey, WordKey | null] {
  if (state.agent === 'thinking') return ['thinking', isTextOnly ? null : 'thinkingHint'];
  if (isTextOnly) return ['writing', 'writingHint'];
  if (state.agent === 'speaking') return ['speaking', mode === 'open' ? 'speakingHint' : 'speakingHoldHint'];
  return ['listening', listening(state, mode)];
}

function listening({ mic }: VoiceState, mode: Mode): WordKey | null {
  if (mic.status === 'error') return null; // the alert says it
  if (mic.status === 'off') return 'offHint';
  if (mic.muted) return 'mutedHint';
  if (mode === 'open') return 'listeningHint';
  return mic.talking ? 'letGoHint' : 'holdHint';
}
