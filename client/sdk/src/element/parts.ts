import { INITIAL, type VoiceState } from '../state.js';
import { icon, type IconName, make, setAttribute, setText } from './dom.js';
import { holdToTalk } from './hold.js';
import type { Playing } from './transcript.js';
import { type Manner, stateWords, type WordKey } from './words.js';

/** A problem that stands in the way, and what the user can do about it. */
export interface Problem {
  readonly code: string;
  readonly advice: string;
}

/** All that the element shows. */
export interface Face {
  readonly state: VoiceState;
  readonly manner: Manner;
  /** Name of the agent. */
  readonly name: string;
  /** BCP 47; empty: that of the page. */
  readonly language: string;
  readonly problem: Problem | undefined;
  readonly playing: Playing | undefined;
  readonly say: (key: WordKey) => string;
}

/** All that a user can do. */
export interface Actions {
  start(): void;
  /** Without a microphone. */
  startSilent(): void;
  end(): void;
  setMuted(isMuted: boolean): void;
  openMicrophone(): void;
  interrupt(): void;
  unlock(): void;
  send(text: string): void;
  readonly talk: { start(): void; stop(): void };
}

/** A piece of the card. */
export interface Part {
  readonly root: HTMLElement;
  show(face: Face): void;
}

/** Codes after which one can still listen and type. */
const MICROPHONE = new Set(['mic_denied', 'mic_not_found', 'mic_in_use', 'mic_unsupported', 'insecure_context']);

export function isInCall({ status }: VoiceState): boolean {
  return status === 'connected' || status === 'reconnecting';
}

/** The state in words. */
export function headline(): Part {
  const [state, hint] = [make('p', { class: 'state', part: 'state' }), make('p', { class: 'hint', part: 'hint' })];
  return {
    root: make('div', { class: 'headline', part: 'headline' }, state, hint),
    show: ({ state: now, manner, say }) => {
      const [what, next] = stateWords(now, manner);
      setText(state, say(what));
      setText(hint, next ? say(next) : '');
      hint.hidden = !next;
    },
  };
}

type KeyName = Extract<
  WordKey,
  'start' | 'startText' | 'cancel' | 'mute' | 'microphone' | 'hold' | 'stop' | 'end'
>;

const KEYS: Readonly<Record<KeyName, readonly [IconName, string]>> = {
  start: ['mic', 'key main'],
  startText: ['write', 'key main'],
  cancel: ['close', 'key'],
  hold: ['mic', 'key main'],
  mute: ['mic', 'key main'],
  microphone: ['mic', 'key'],
  stop: ['stop', 'key round'],
  end: ['end', 'key round'],
};

/** Keys that there are now. */
function keysFor({ state, manner }: Face): readonly KeyName[] {
  const { isTextOnly, mode, isLoading } = manner;
  if (isLoading || state.status === 'connecting') return ['cancel'];
  if (!isInCall(state)) return [isTextOnly ? 'startText' : 'start'];
  if (isTextOnly) return ['end'];
  if (['off', 'error'].includes(state.mic.status)) return ['microphone', 'stop', 'end'];
  return [mode === 'open' ? 'mute' : 'hold', 'stop', 'end'];
}

/** The buttons of the call. */
export function keys(actions: Actions, root: ShadowRoot, signal: AbortSignal): Part {
  const names = Object.keys(KEYS) as KeyName[];
  const buttons = Object.fromEntries(names.map((name) => [name, key(name)])) as Record<KeyName, HTMLButtonElement>;
  const isPressed = (button: Element) => button.getAttribute('aria-pressed') === 'true';
  const isOff = (button: Element) => button.getAttribute('aria-disabled') === 'true';
  const presses: Partial<Record<KeyName, () => void>> = {
    start: actions.start,
    startText: actions.start,
    cancel: actions.end,
    end: actions.end,
    microphone: actions.openMicrophone,
    mute: () => actions.setMuted(!isPressed(buttons.mute)),
    stop: () => isOff(buttons.stop) || actions.interrupt(),
  };
  for (const name of names) buttons[name].addEventListener('click', () => presses[name]?.());
  holdToTalk(buttons.hold, root, actions.talk, signal);
  return {
    root: make('div', { class: 'keys', part: 'keys' }, ...Object.values(buttons)),
    show: (face) => {
      const wanted = keysFor(face);
      for (const name of names) {
        buttons[name].hidden = !wanted.includes(name);
        setText(buttons[name].lastElementChild as Element, face.say(name));
        if (KEYS[name][1].includes('round')) setAttribute(buttons[name], 'title', face.say(name));
      }
      setAttribute(buttons.mute, 'aria-pressed', String(face.state.mic.muted));
      setAttribute(buttons.hold, 'aria-pressed', String(face.state.mic.talking));
      setAttribute(buttons.stop, 'aria-disabled', String(face.state.agent !== 'speaking')); // keeps the focus
    },
  };
}

function key(name: KeyName): HTMLButtonElement {
  const [drawn, kind] = KEYS[name];
  const label = make('span', { class: kind.includes('round') ? 'unseen' : 'label' });
  return make('button', { type: 'button', class: kind, part: `key ${name}`, 'data-key': name }, icon(drawn), label);
}

/** What is wrong, and what can be done. */
export function trouble(actions: Actions): Part {
  const text = make('p');
  const silent = make('button', { type: 'button', class: 'plain' });
  const unlock = make('button', { type: 'button', class: 'plain' });
  silent.addEventListener('click', actions.startSilent);
  unlock.addEventListener('click', actions.unlock);
  return {
    root: make('div', { class: 'trouble', part: 'alert', role: 'alert' }, text, silent, unlock),
    show(face) {
      const problem = problemOf(face);
      this.root.hidden = !problem;
      setText(text, problem?.advice ?? '');
      silent.hidden = !problem || isInCall(face.state) || !MICROPHONE.has(problem.code);
      unlock.hidden = problem?.code !== 'audio_blocked';
      setText(silent, face.say('silent'));
      setText(unlock, face.say('unlock'));
    },
  };
}

function problemOf({ state, manner, problem, say }: Face): Problem | undefined {
  const isLocked = isInCall(state) && !state.speaker.unlocked && !manner.isTextOnly;
  return isLocked ? { code: 'audio_blocked', advice: say('audio_blocked') } : problem;
}

/** Field for typed words. */
export function composer(actions: Actions): Part {
  const field = make('input', { class: 'field', part: 'field', type: 'text', maxlength: '8000', autocomplete: 'off' });
  const send = make('button', { type: 'submit', class: 'send', part: 'send' }, icon('send'), make('span', { class: 'unseen' }));
  const root = make('form', { class: 'composer', part: 'composer' }, field, send);
  root.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (text) actions.send(text);
    field.value = '';
    field.focus();
  });
  return {
    root,
    show: ({ state, manner, say }) => {
      root.hidden = !isInCall(state);
      const label = say(manner.isTextOnly ? 'fieldText' : 'field');
      setAttribute(field, 'aria-label', label);
      setAttribute(field, 'placeholder', label);
      setText(send.lastElementChild as Element, say('send'));
    },
  };
}

/**
 * The one region that a screen reader listens to: finished sentences and changes of state, never pieces of words. While
 * the agent speaks it keeps quiet, or the reader would talk over the answer and into the open microphone.
 */
export function announcer(): Part {
  const root = make('p', { class: 'unseen', role: 'status', 'aria-live': 'polite', 'aria-atomic': 'true' });
  const waiting: string[] = [];
  let shown: Pick<Face, 'state' | 'manner'> | undefined;
  return {
    root,
    show: (face) => {
      waiting.push(...newsIn(face, shown));
      shown = face;
      if (face.state.agent === 'speaking' || waiting.length === 0) return;
      setText(root, waiting.splice(0).join(' '));
    },
  };
}

/** What there is to say since the face that was shown last. */
function newsIn(face: Face, last: Pick<Face, 'state' | 'manner'> | undefined): string[] {
  const { state, manner, say, name } = face;
  const before = last?.state ?? INITIAL;
  const news: string[] = [];
  if (last && (state.status !== before.status || manner.isLoading !== last.manner.isLoading)) {
    const isBack = before.status === 'reconnecting' && state.status === 'connected';
    news.push(say(isBack ? 'reconnected' : stateWords(state, manner)[0]));
  }
  const known = new Set(before.messages);
  for (const message of state.messages) {
    if (known.has(message) || message.kind !== 'text' || !message.final) continue;
    const isNew = !before.messages.some((old) => old.id === message.id && old.kind === 'text' && old.final);
    if (isNew && message.role === 'user' && message.source === 'speech') news.push(`${say('youSaid')} ${message.text}`);
    if (isNew && message.role === 'agent' && manner.isTextOnly) news.push(`${name}: ${message.text}`);
  }
  return news;
}
