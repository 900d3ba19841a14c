import type { VoiceClient } from '../client.js';
import { make, setAttribute } from './dom.js';
import { type Actions, announcer, composer, type Face, headline, isInCall, keys, type Part, trouble } from './parts.js';
import { CSS } from './style.js';
import { Tape } from './tape.js';
import { Transcript } from './transcript.js';

let sheet: CSSStyleSheet | undefined;

/** One for all elements of the page; made when there is a page. */
function styles(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}

/** The card: what there is in it, and where the focus is. Knows no client but for its levels. */
export class View {
  readonly #root: ShadowRoot;
  readonly #card = make('section', { class: 'card', part: 'card' });
  readonly #transcript: Transcript;
  readonly #canvas = make('canvas', { class: 'tape', part: 'tape', 'aria-hidden': 'true' });
  readonly #tape = new Tape(this.#canvas);
  readonly #parts: readonly Part[];

  constructor(root: ShadowRoot, actions: Actions, signal: AbortSignal) {
    this.#root = root;
    this.#transcript = new Transcript((text) => actions.send(text));
    this.#parts = [headline(), trouble(actions), keys(actions, root, signal), composer(actions), announcer()];
    const dock = make('div', { class: 'dock', part: 'dock' }, ...this.#parts.map((part) => part.root));
    this.#card.append(this.#transcript.root, this.#canvas, dock);
    root.adoptedStyleSheets = [styles()];
    root.replaceChildren(this.#card);
    const resized = new ResizeObserver(() => this.#tape.draw());
    resized.observe(this.#canvas);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', () => this.#tape.draw(), { signal });
    signal.addEventListener('abort', () => {
      resized.disconnect();
      this.#tape.stop();
    });
  }

  show(face: Face): void {
    const { state, manner, name, language, say, playing } = face;
    const focused = this.#root.activeElement;
    setAttribute(this.#card, 'aria-label', say('region'));
    setAttribute(this.#card, 'data-writes', String(manner.isTextOnly && isInCall(state)));
    this.#canvas.hidden = manner.isTextOnly;
    if (language) setAttribute(this.#transcript.root, 'lang', language);
    this.#transcript.show(state.messages, name, say, state.agent === 'speaking' ? playing : undefined);
    for (const part of this.#parts) part.show(face);
    if (focused?.closest('[hidden]')) this.#focusNext(manner.isTextOnly);
  }

  /** Draw what the client hears and plays, while there is a call. */
  listen(client: VoiceClient): void {
    client.on('interrupted', () => this.#tape.cut());
    client.on('statechange', (state, previous) => {
      if (isInCall(state) === isInCall(previous)) return;
      if (isInCall(state)) this.#tape.run(() => client.levels);
      else this.#tape.stop();
    });
  }

  /** The key that was pressed has given way to others: the focus stays in its place. */
  #focusNext(isTextOnly: boolean): void {
    const visible = (selector: string) =>
      [...this.#card.querySelectorAll<HTMLElement>(selector)].find((each) => !each.closest('[hidden]'));
    (visible(isTextOnly ? '.field' : '.key') ?? visible('.key'))?.focus();
  }
}
