import { TOOL_RESULT_BYTES } from '../protocol/tables.js';
import type { Json } from '../protocol/wire.js';
import { type ToolCall, type ToolDefinition, ToolError, type ToolOutcome } from '../tools.js';

const ERROR_CHARS = 1024; //: the protocol's limit on a tool's error text
const ENVELOPE_BYTES = 1024; //: of a result's message around its data

/** Run a tool to its outcome, or to its deadline. Null when the call was cancelled: nothing is answered. */
export async function runTool(
  tool: ToolDefinition | undefined,
  call: ToolCall,
  stop: AbortController,
): Promise<ToolOutcome | null> {
  if (!tool) return failed('There is no tool of that name.');
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    stop.abort();
  }, call.deadline - Date.now());
  const aborted = new Promise<never>((_, reject) => {
    call.signal.addEventListener('abort', reject);
    if (call.signal.aborted) reject();
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
