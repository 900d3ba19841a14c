import { TOOL_RESULT_BYTES } from './protocol/tables.js';
import type { ClientTool, Json, ToolCall as WireCall } from './protocol/wire.js';
import {
  type ToolCall,
  type ToolDefinition,
  ToolError,
  type ToolHandler,
  type ToolOutcome,
  type Tools,
} from './tools.js';

const ERROR_CHARS = 1024; //: the protocol's limit on a tool's error text
const ENVELOPE_BYTES = 1024; //: of a result's message around its data

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
    const outcome = this.#outcome(call, deadline_ms, stop).finally(() => this.#running.delete(callId));
    return { call, outcome };
  }

  /** Abort these calls, or all of them. Returns those that ran. */
  cancel(callIds: readonly string[] = [...this.#running.keys()]): string[] {
    const found = callIds.filter((callId) => this.#running.has(callId));
    for (const callId of found) this.#running.get(callId)?.abort();
    return found;
  }

  async #outcome(call: ToolCall, deadlineMs: number, stop: AbortController): Promise<ToolOutcome | null> {
    const tool = this.#toolbox.find(call.name);
    if (!tool) return failed('There is no tool of that name.');
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      stop.abort();
    }, deadlineMs);
    const aborted = new Promise<never>((_, reject) => {
      call.signal.addEventListener('abort', () => reject(call.signal.reason));
    });
    try {
      return outcomeOf(await Promise.race([invoke(tool, call), aborted]));
    } catch (error) {
      if (isLate) return failed('The tool did not answer in time.');
      if (call.signal.aborted) return null;
      // An exception's own text stays here: it may hold what the model should not see.
      return failed(error instanceof ToolError ? error.message.slice(0, ERROR_CHARS) : 'The tool failed.');
    } finally {
      clearTimeout(timer);
    }
  }
}

async function invoke(tool: ToolDefinition, call: ToolCall): Promise<unknown> {
  const args: unknown = tool.validate ? tool.validate(call.args) : call.args;
  return await tool.handler(args, { ...call, args });
}

function outcomeOf(data: unknown): ToolOutcome {
  const text = JSON.stringify(data) ?? 'null';
  if (new TextEncoder().encode(text).length > TOOL_RESULT_BYTES - ENVELOPE_BYTES)
    return failed('The tool’s result is too large.');
  return { ok: true, data: JSON.parse(text) as Json };
}

function failed(error: string): ToolOutcome {
  return { ok: false, error };
}
