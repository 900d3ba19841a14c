import type { Message, TextMessage } from '../state.js';
import { icon, make, setAttribute, setText } from './dom.js';
import type { WordKey } from './words.js';

type Say = (key: WordKey) => string;

/** Share of a turn's audio that has come out of the speaker, 0 to 1. */
export interface Playing {
  readonly turn: number;
  readonly share: number;
}

/** Heard and unheard part of a text: exact after an interruption, by the share of time while it sounds. */
export function split({ text, heard, interrupted }: TextMessage, share = 1): readonly [string, string] {
  if (interrupted) {
    const known = heard ?? text;
    return text.startsWith(known) ? [known, text.slice(known.length)] : [known, ''];
  }
  const about = share < 1 ? text.indexOf(' ', Math.floor(share * text.length)) : -1;
  return about < 0 ? [text, ''] : [text.slice(0, about), text.slice(about)];
}

/** One line of the conversation. */
class Line {
  readonly root: HTMLLIElement;
  readonly #who = make('span', { class: 'who', part: 'speaker' });
  readonly #how = make('span', { class: 'how' });
  readonly #heard = make('span', { class: 'heard' });
  readonly #mark = make('span', { class: 'mark' });
  readonly #aside = make('span', { class: 'unseen' });
  readonly #unheard = make('span', { class: 'unheard' });
  readonly #missed = make('p', { class: 'missed', part: 'missed' });
  readonly #again = make('button', { type: 'button', part: 'again' });
  #text = '';

  constructor(role: TextMessage['role'], ask: (text: string) => void) {
    const words = make('p', { class: 'words', part: 'words', dir: 'auto' });
    words.append(this.#heard, this.#mark, this.#aside, ' ', this.#unheard);
    this.root = make('li', { class: 'said', part: `message ${role}`, 'data-role': role });
    this.#missed.append(make('span'), ' ', this.#again);
    this.#again.addEventListener('click', () => ask(this.#text));
    this.root.append(make('p', { class: 'by' }, this.#who, this.#how), words, this.#missed);
    this.#mark.append(icon('cut'), make('span'));
  }

  show(message: TextMessage, name: string, say: Say, share: number | undefined): void {
    const [heard, unheard] = split(message, share);
    const isCut = message.interrupted ?? false;
    setText(this.#who, message.role === 'user' ? say('you') : name);
    setText(this.#how, message.source === 'typed' ? say('typed') : '');
    setText(this.#heard, heard);
    setText(this.#mark.lastElementChild as Element, say(heard ? 'interrupted' : 'unheardAll'));
    this.#mark.hidden = !isCut;
    this.#text = message.text;
    this.#missed.hidden = !message.outcome || message.role === 'agent';
    setText(this.#missed.firstElementChild as Element, say('missed'));
    setText(this.#again, say('again'));
    setText(this.#aside, isCut && unheard ? ` ${say('unheard')}` : '');
    setText(this.#unheard, unheard.trimStart());
    setAttribute(this.root, 'data-cut', String(isCut));
    setAttribute(this.root, 'data-playing', String(share !== undefined));
    setAttribute(this.root, 'data-final', String(message.final));
  }
}

/** Who said what, and what of it was heard. Tools are not shown. */
export class Transcript {
  readonly root: HTMLElement;
  readonly #list = make('ol', { class: 'lines', part: 'lines' });
  readonly #box = make('div', { class: 'scroll', role: 'log', 'aria-live': 'off', tabindex: '0' });
  readonly #latest = make('button', { class: 'latest', type: 'button' }, icon('down'), make('span'));
  readonly #ask: (text: string) => void;
  #lines = new Map<string, Line>();
  #isFollowing = true;

  /** `ask` sends words once more whose answer did not come. */
  constructor(ask: (text: string) => void) {
    this.#ask = ask;
    this.#box.append(this.#list);
    this.root = make('div', { class: 'transcript', part: 'transcript' }, this.#box, this.#latest);
    this.#latest.hidden = true;
    this.#box.addEventListener('scroll', () => this.#look(), { passive: true });
    this.#latest.addEventListener('click', () => {
      this.#box.scrollTop = this.#box.scrollHeight;
      this.#box.focus({ preventScroll: true });
    });
  }

  show(messages: readonly Message[], name: string, say: Say, playing: Playing | undefined): void {
    setAttribute(this.#box, 'aria-label', say('transcript'));
    setText(this.#latest.lastElementChild as Element, say('latest'));
    const said = messages.filter((message) => message.kind === 'text').filter(({ text }) => text !== '');
    this.root.hidden = said.length === 0;
    const last = said.findLast((message) => message.role === 'agent');
    const lines = new Map<string, Line>();
    for (const message of said) {
      const line = this.#lines.get(message.id) ?? new Line(message.role, this.#ask);
      const isSounding = message === last && message.turn === playing?.turn;
      line.show(message, name, say, isSounding ? playing.share : undefined);
      lines.set(message.id, line);
    }
    this.#place([...lines.values()].map((line) => line.root));
    this.#lines = lines;
    if (this.#isFollowing) this.#box.scrollTop = this.#box.scrollHeight;
  }

  #place(wanted: readonly Element[]): void {
    for (const line of [...this.#list.children]) if (!wanted.includes(line)) line.remove();
    wanted.forEach((line, at) => {
      if (this.#list.children[at] !== line) this.#list.insertBefore(line, this.#list.children[at] ?? null);
    });
  }

  /** The end stays in sight unless the reader has scrolled away. */
  #look(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    this.#isFollowing = scrollHeight - scrollTop - clientHeight < 48;
    this.#latest.hidden = this.#isFollowing;
  }
}
