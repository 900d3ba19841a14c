import type { ToolDefinition, ToolHandler, Tools } from './tools.js';

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
}
