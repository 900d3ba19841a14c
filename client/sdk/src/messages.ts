import type { Emitter } from './events.js';
import type { History, PastTurn, ToolCall, ToolStatus, Transcript } from './protocol/wire.js';
import type { Message, Store, TextMessage, ToolMessage } from './state.js';
import type { ToolOutcome } from './tools.js';

/** The conversation as messages: appended, then updated piece by piece. */
export class Messages {
  readonly #store: Store;
  readonly #emitter: Emitter;
  readonly #limit: number;
  #typed: string[] = []; //: sent in writing, not yet come back

  constructor(store: Store, emitter: Emitter, limit: number) {
    this.#store = store;
    this.#emitter = emitter;
    this.#limit = limit;
  }

  /** The user wrote this; its transcript will come. */
  expectTyped(text: string): void {
    this.#typed.push(text);
  }

  transcript({ message: id, turn, role, text, final, heard }: Transcript): void {
    const old = this.#find(id);
    if (old?.kind === 'text') {
      const isCut = heard !== null;
      this.#replace(old, {
        text: old.text + text,
        final: old.final || final,
        ...(isCut ? { heard, interrupted: true } : {}),
      });
      return;
    }
    if (!text && !heard) return;
    const source = role === 'user' && this.#wasTyped(text) ? 'typed' : 'speech';
    const message: TextMessage = {
      kind: 'text',
      id,
      turn,
      at: Date.now(),
      role,
      text: text || (heard ?? ''),
      final,
      source,
    };
    this.#add(heard === null ? message : { ...message, heard, interrupted: true });
  }

  /** Finished turns from the record take the place of what is here of them. */
  history({ turns }: History): void {
    const { messages } = this.#store.state;
    const past = turns.flatMap(remembered).map((message) => {
      const old = this.#find(message.id);
      return old?.kind === 'text' ? { ...message, at: old.at, source: old.source } : message;
    });
    const known = new Set(messages.map(({ id }) => id));
    const others = messages.filter(({ id }) => !past.some((message) => message.id === id));
    const all = [...past, ...others].sort((a, b) => a.turn - b.turn);
    this.#store.set({ messages: all.slice(-this.#limit) });
    for (const message of past) this.#emitter.emit(known.has(message.id) ? 'messageupdate' : 'message', message);
  }

  /** The agent was stopped in this turn. */
  interrupted(turn: number): void {
    for (const message of this.#store.state.messages)
      if (message.kind === 'text' && message.role === 'agent' && message.turn === turn && !message.interrupted)
        this.#replace(message, { interrupted: true });
  }

  /** Another relay has the session: what the agent had not finished saying stays unfinished. */
  broken(): void {
    for (const message of this.#store.state.messages)
      if (message.kind === 'text' && !message.final)
        this.#replace(message, message.role === 'agent' ? { final: true, interrupted: true } : { final: true });
  }

  toolCalled({ call_id, name, args }: ToolCall, turn: number): void {
    this.#add(toolMessage(call_id, name, turn, 'client', 'running', args));
  }

  toolAnswered(callId: string, outcome: ToolOutcome): void {
    const message = this.#find(callId);
    if (message?.kind !== 'tool' || message.status !== 'running') return;
    this.#replace(
      message,
      outcome.ok ? { status: 'done', result: outcome.data } : { status: 'error', result: outcome.error },
    );
  }

  toolCancelled(callId: string): void {
    const message = this.#find(callId);
    if (message?.kind === 'tool' && message.status === 'running') this.#replace(message, { status: 'cancelled' });
  }

  /** A tool that runs on the server. */
  toolStatus({ call_id, name, state }: ToolStatus, turn: number): void {
    const status = state === 'failed' ? 'error' : state;
    const old = this.#find(call_id);
    if (old?.kind === 'tool') this.#replace(old, { status });
    else this.#add(toolMessage(call_id, name, turn, 'server', status, {}));
  }

  #find(id: string): Message | undefined {
    return this.#store.state.messages.findLast((message) => message.id === id);
  }

  #wasTyped(text: string): boolean {
    const at = this.#typed.indexOf(text);
    if (at >= 0) this.#typed = this.#typed.slice(at + 1);
    return at >= 0;
  }

  #add(message: Message): void {
    this.#store.set({ messages: [...this.#store.state.messages, message].slice(-this.#limit) });
    this.#emitter.emit('message', message);
  }

  #replace<T extends Message>(old: T, patch: Partial<T>): void {
    const changed = { ...old, ...patch };
    this.#store.set({ messages: this.#store.state.messages.map((message) => (message === old ? changed : message)) });
    this.#emitter.emit('messageupdate', changed);
  }
}

/** What was said in a turn, by either. When it was said is not known here. */
function remembered({ turn, user, agent, interrupted }: PastTurn): TextMessage[] {
  const said = { kind: 'text', turn, at: Date.now(), final: true, source: 'speech' } as const;
  const messages: TextMessage[] = [
    { ...said, id: `u${turn}`, role: 'user', text: user },
    { ...said, id: `a${turn}`, role: 'agent', text: agent, ...(interrupted && { interrupted }) },
  ];
  return messages.filter(({ text }) => text);
}

function toolMessage(
  callId: string,
  name: string,
  turn: number,
  where: ToolMessage['where'],
  status: ToolMessage['status'],
  args: ToolMessage['args'],
): ToolMessage {
  return { kind: 'tool', id: callId, callId, name, turn, at: Date.now(), where, status, args };
}
