import type { ClientTool, ToolCall as WireCall } from './protocol/wire.js';
import type { ToolCall, ToolDefinition, ToolHandler, ToolOutcome, Tools } from './tools.js';

type Tool = ToolHandler | ToolDefinition;

/** The tools of a client. */
export class Toolbox {
  readonly #registered = new Map<string, Tool>();
  readonly #given: () => Tools;

  constructor(given: () => Tools) {
    this.#given = given;
  }

  /** Returns its un-register. The latest of a name counts. */
  register(name: string, tool: Tool): () => void {
    this.#registered.set(name, tool);
    return () => {
      if (this.#registered.get(name) === tool) this.#registered.delete(name);
    };
  }

  find(name: string): ToolDefinition | undefined {
    const given = this.#given();
    const tool = this.#registered.get(name) ?? (Object.hasOwn(given, name) ? given[name] : undefined);
    return typeof tool === 'function' ? { handler: tool } : tool;
  }

  /** As the protocol declares them in `start`. */
  declarations(): ClientTool[] {
    const names = new Set([...Object.keys(this.#given()), ...this.#registered.keys()]);
    return [...names].map((name) => {
      const { description, parameters, timeoutMs } = this.find(name) ?? {};
      return {
        name,
        ...(description && { description }),
        ...(parameters && { parameters }),
        ...(timeoutMs && { timeout_ms: timeoutMs }),
      };
    });
  }
}

/** The calls of one session that run now. */
export class ToolRunner {
  readonly #toolbox: Toolbox;
  readonly #running = new Map<string, AbortController>();

  constructor(toolbox: Toolbox) {
    this.#toolbox = toolbox;
  }

  /** Run a call; null when it runs already. The outcome is null when the call was cancelled: nothing is answered. */
  run({
    call_id: callId,
    name,
    args,
    deadline_ms,
  }: WireCall): { call: ToolCall; outcome: Promise<ToolOutcome | null> } | null {
    if (this.#running.has(callId)) return null;
    const stop = new AbortController();
    this.#running.set(callId, stop);
    const call = { callId, name, args, signal: stop.signal, deadline: Date.now() + deadline_ms };
    const outcome = import('./ondemand/index.js')
      .then(({ runTool }) => runTool(this.#toolbox.find(name), call, stop))
      .finally(() => this.#running.delete(callId));
    return { call, outcome };
  }

  /** Abort these calls, or all of them. Returns those that ran. */
  cancel(callIds: readonly string[] = [...this.#running.keys()]): string[] {
    const found = callIds.filter((callId) => this.#running.has(callId));
    for (const callId of found) this.#running.get(callId)?.abort();
    return found;
  }
}
