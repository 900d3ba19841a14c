import type { Emitter } from '../events.js';
import type { ToolCall as Asked, ToolCancel, ToolResult, ToolStatus } from '../protocol/wire.js';
import type { ToolMessage } from '../state.js';
import type { ToolDefinition } from '../tools.js';
import type { Shown } from './shown.js';
import { runTool } from './tool.js';
import { whole } from './whole.js';

export interface Parts {
  readonly emitter: Emitter;
  readonly messages: Shown;
  readonly outbox: { send(message: ToolResult): void };
  readonly session: { readonly lastTurn: number };
  readonly toolbox: { find(name: string): ToolDefinition | undefined };
}

/** Tool calls of one conversation: those that run here, and those of the server, which are shown. */
export class ToolCalls {
  readonly #running = new Map<string, AbortController>();
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Run a tool, and tell the server what came of it. */
  async run(item: Asked): Promise<void> {
    const asked = whole(item);
    if (!asked) return;
    const { call_id: callId, name, args, deadline_ms } = asked;
    if (this.#running.has(callId)) return;
    const stop = new AbortController();
    this.#running.set(callId, stop);
    const { toolbox, emitter, outbox } = this.#parts;
    const call = { callId, name, args, signal: stop.signal, deadline: Date.now() + deadline_ms };
    this.#begun(callId, { name, args, where: 'client' });
    emitter.emit('toolcall', call);
    const outcome = await runTool(toolbox.find(name), call, stop);
    this.#running.delete(callId);
    if (!outcome) return;
    const [status, result] = outcome.ok ? (['done', outcome.data] as const) : (['error', outcome.error] as const);
    this.#ended(callId, { status, result });
    outbox.send({ type: 'tool.result', call_id: callId, ...outcome });
  }

  /** The model withdraws calls. */
  withdraw(item: ToolCancel): void {
    const withdrawn = whole(item);
    if (!withdrawn) return;
    this.cancel(withdrawn.call_ids);
    this.#parts.emitter.emit('toolcancel', withdrawn.call_ids);
  }

  /** Nobody waits for these results any more. */
  cancel(callIds: readonly string[]): void {
    for (const callId of callIds) {
      this.#running.get(callId)?.abort();
      this.#ended(callId, { status: 'cancelled' });
    }
  }

  /** Nobody waits for the results any more. */
  cancelAll(): void {
    this.cancel([...this.#running.keys()]);
  }

  /** Show a tool that runs on the server. */
  show(item: ToolStatus): void {
    const status = whole(item);
    if (!status) return;
    const { call_id: id, name, state } = status;
    if (!this.#parts.messages.find(id)) this.#begun(id, { name, args: {}, where: 'server' });
    this.#ended(id, { status: state === 'failed' ? 'error' : state });
  }

  #begun(id: string, call: Pick<ToolMessage, 'name' | 'where' | 'args'>): void {
    const { messages, session } = this.#parts;
    messages.add({ kind: 'tool', id, callId: id, turn: session.lastTurn, at: Date.now(), status: 'running', ...call });
  }

  #ended(id: string, patch: Pick<ToolMessage, 'status' | 'result'>): void {
    const { messages } = this.#parts;
    const message = messages.find(id);
    if (message?.kind === 'tool' && message.status === 'running') messages.replace(message, patch);
  }
}
