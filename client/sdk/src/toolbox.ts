import type { Host } from './host.js';
import { onDemand } from './ondemand.js';
import type { ClientTool } from './protocol/wire.js';
import type { ToolDefinition, ToolHandler } from './tools.js';

/** The tools of a client. */
export class Toolbox {
  readonly #registered = new Map<string, ToolHandler | ToolDefinition>();
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Returns its un-register. The latest of a name counts. */
  register(name: string, tool: ToolHandler | ToolDefinition): () => void {
    this.#registered.set(name, tool);
    return () => {
      if (this.#registered.get(name) === tool) this.#registered.delete(name);
    };
  }

  /** Declarations for `start`. The code that runs tools is fetched meanwhile. */
  declarations(): ClientTool[] {
    const tools = [...this.#all()];
    if (tools.length) onDemand().catch(() => {}); // a call tries again
    return tools.map(([name, { description, parameters, timeoutMs, scheduling }]) => ({
      name,
      description: description || undefined,
      parameters,
      timeout_ms: timeoutMs || undefined,
      scheduling,
    }));
  }

  find(name: string): ToolDefinition | undefined {
    return this.#all().get(name);
  }

  #all(): Map<string, ToolDefinition> {
    const all = [...Object.entries(this.#host.options.tools ?? {}), ...this.#registered];
    return new Map(all.map(([name, tool]) => [name, typeof tool === 'function' ? { handler: tool } : tool]));
  }
}
