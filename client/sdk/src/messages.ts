import type { Host } from './host.js';
import type { Transcript } from './protocol/wire.js';
import type { Message } from './state.js';

/** The conversation as messages: added by turn, then updated piece by piece. */
export class Messages {
  readonly #host: Readonly<Host>;
  readonly #typed: string[] = []; //: sent in writing, not yet come back

  constructor(host: Readonly<Host>) {
    this.#host = host;
  }

  /** The user wrote this; its transcript will come. */
  expectTyped(text: string): void {
    this.#typed.push(text);
  }

  transcript({ message: id, turn, role, text, final, heard, whole }: Transcript): void {
    const cut = heard === null ? {} : { heard, interrupted: true };
    const old = this.find(id);
    const words = text || heard;
    if (old?.kind === 'text') this.replace(old, { text: whole ? text : old.text + text, final: old.final || final, ...cut });
    else if (words) {
      const source = role === 'user' && this.#wasTyped(text) ? 'typed' : 'speech';
      this.add({ kind: 'text', id, turn, at: Date.now(), role, text: words, final, source, ...cut });
    }
  }

  /** The agent was stopped in this turn. */
  interrupted(turn: number): void {
    const said = this.find(`a${turn}`);
    if (said?.kind === 'text' && !said.interrupted) this.replace(said, { interrupted: true });
  }

  /** Another relay has the session: what the agent had not finished saying stays unfinished. */
  broken(): void {
    for (const message of this.#host.store.state.messages)
      if (message.kind === 'text' && !message.final)
        this.replace(message, { final: true, interrupted: message.role === 'agent' });
  }

  find(id: string): Message | undefined {
    return this.#host.store.state.messages.findLast((message) => message.id === id);
  }

  /** Also forgets what was written before it. */
  #wasTyped(text: string): boolean {
    return this.#typed.splice(0, this.#typed.indexOf(text) + 1).length > 0;
  }

  add(message: Message): void {
    const { store, emitter, options } = this.#host;
    const messages = [...store.state.messages, message].sort((a, b) => placeOf(a) - placeOf(b));
    store.set({ messages: messages.slice(-(options.messageLimit ?? 200)) });
    emitter.emit('message', message);
  }

  replace<T extends Message>(old: T, patch: Partial<T>): void {
    const { store, emitter } = this.#host;
    const changed = { ...old, ...patch };
    store.set({ messages: store.state.messages.map((message) => (message === old ? changed : message)) });
    emitter.emit('messageupdate', changed);
  }
}

/** Sort key: within a turn the user's words come first. */
function placeOf(message: Message): number {
  return message.turn - (message.kind === 'text' && message.role === 'user' ? 0.5 : 0);
}
