import type { Host } from './host.js';
import type { History, ToolStatus, Transcript } from './protocol/wire.js';
import type { Message, TextMessage, ToolMessage } from './state.js';

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

  transcript({ message: id, turn, role, text, final, heard }: Transcript): void {
    const cut = heard === null ? {} : { heard, interrupted: true };
    const old = this.#find(id);
    if (old?.kind === 'text') this.#replace(old, { text: old.text + text, final: old.final || final, ...cut });
    else if (text || heard) {
      const source = role === 'user' && this.#wasTyped(text) ? 'typed' : 'speech';
      this.#add({ kind: 'text', id, turn, at: Date.now(), role, text: text || heard || '', final, source, ...cut });
    }
  }

  /** Finished turns from the record take the place of what is here of them. */
  history({ turns }: History): void {
    for (const { turn, user, agent, interrupted } of turns) {
      this.#remember(turn, 'user', user, false);
      this.#remember(turn, 'agent', agent, interrupted);
    }
  }

  /** The agent was stopped in this turn. */
  interrupted(turn: number): void {
    for (const message of this.#host.store.state.messages)
      if (message.kind === 'text' && message.role === 'agent' && message.turn === turn && !message.interrupted)
        this.#replace(message, { interrupted: true });
  }

  /** Another relay has the session: what the agent had not finished saying stays unfinished. */
  broken(): void {
    for (const message of this.#host.store.state.messages)
      if (message.kind === 'text' && !message.final)
        this.#replace(message, { final: true, interrupted: message.role === 'agent' });
  }

  /** A tool runs, here or on the server. */
  toolCalled(id: string, call: Pick<ToolMessage, 'name' | 'turn' | 'where' | 'args'>): void {
    this.#add({ kind: 'tool', id, callId: id, at: Date.now(), status: 'running', ...call });
  }

  /** Record the outcome of a tool call. */
  toolEnded(id: string, patch: Pick<ToolMessage, 'status' | 'result'>): void {
    const message = this.#find(id);
    if (message?.kind === 'tool' && message.status === 'running') this.#replace(message, patch);
  }

  /** A tool that runs on the server. */
  toolStatus({ call_id: id, name, state }: ToolStatus, turn: number): void {
    if (!this.#find(id)) this.toolCalled(id, { name, turn, where: 'server', args: {} });
    this.toolEnded(id, { status: state === 'failed' ? 'error' : state });
  }

  /** Message of a past turn, without its time, which is not known here. */
  #remember(turn: number, role: TextMessage['role'], text: string, interrupted: boolean): void {
    const id = `${role[0]}${turn}`;
    const old = this.#find(id);
    const said = { text, final: true, heard: undefined, interrupted };
    if (text && old) this.#replace(old, said);
    else if (text) this.#add({ kind: 'text', id, turn, at: Date.now(), role, source: 'speech', ...said });
  }

  #find(id: string): Message | undefined {
    return this.#host.store.state.messages.findLast((message) => message.id === id);
  }

  /** Also forgets what was written before it. */
  #wasTyped(text: string): boolean {
    return this.#typed.splice(0, this.#typed.indexOf(text) + 1).length > 0;
  }

  #add(message: Message): void {
    const { store, emitter, options } = this.#host;
    const messages = [...store.state.messages, message].sort((a, b) => placeOf(a) - placeOf(b));
    store.set({ messages: messages.slice(-(options.messageLimit ?? 200)) });
    emitter.emit('message', message);
  }

  #replace<T extends Message>(old: T, patch: Partial<T>): void {
    const { store, emitter } = this.#host;
    const changed = { ...old, ...patch };
    store.set({ messages: store.state.messages.map((message) => (message === old ? changed : message)) });
    emitter.emit('messageupdate', changed);
  }
}

/** Sort key: within a turn the user's words come first. */
function placeOf(message: Message): number {
  return message.kind === 'text' && message.role === 'user' ? message.turn - 0.5 : message.turn;
}
