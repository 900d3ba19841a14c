import type { Message } from '../state.js';

/** The messages of the snapshot. */
export interface Shown {
  find(id: string): Message | undefined;
  add(message: Message): void;
  replace<T extends Message>(old: T, patch: Partial<T>): void;
}
