import type { Json, JsonObject } from './protocol/wire.js';

export interface ToolCall<A = JsonObject> {
  readonly callId: string;
  readonly name: string;
  readonly args: A;
  /** Aborted when the model withdraws the call, its deadline passes or the session ends. */
  readonly signal: AbortSignal;
  /** Epoch ms. */
  readonly deadline: number;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the model makes the arguments; a handler names the type it expects
export type ToolHandler<A = any, R = unknown> = (args: A, call: ToolCall<A>) => R | Promise<R>;

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
export interface ToolDefinition<A = any, R = unknown> {
  /** Tells the model when to use it. */
  readonly description?: string | undefined;
  /** JSON Schema of the arguments. */
  readonly parameters?: JsonObject | undefined;
  /** Throw a ToolError to refuse; the model hears why. */
  readonly validate?: ((args: unknown) => A) | undefined;
  readonly handler: ToolHandler<A, R>;
  /** 100 to 120000. Default 20000. */
  readonly timeoutMs?: number | undefined;
  /** When the agent speaks of the result: once it is quiet (the default), at once, or it only knows of it. */
  readonly scheduling?: 'when_idle' | 'interrupt' | 'silent' | undefined;
}

export type Tools = Readonly<Record<string, ToolHandler | ToolDefinition>>;

/** Throw it in a tool to refuse: its text, and only its text, is told to the model. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}

export type ToolOutcome = { readonly ok: true; readonly data: Json } | { readonly ok: false; readonly error: string };
