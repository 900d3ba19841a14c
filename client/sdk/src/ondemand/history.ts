import type { History, TurnEnded } from '../protocol/wire.js';
import type { TextMessage } from '../state.js';
import type { Shown } from './shown.js';

/** Finished turns from the record take the place of what is here of them. */
export function recall(messages: Shown, { turns }: History): void {
  for (const past of turns) {
    const { turn, user, agent, interrupted } = past;
    remember(messages, { turn, role: 'user', text: user, interrupted: false });
    remember(messages, { turn, role: 'agent', text: agent, interrupted });
    settle(messages, past);
  }
}

/** Show at a turn's words that the answer is missing, or not all there. */
export function settle(messages: Shown, { turn, outcome }: Pick<TurnEnded, 'turn' | 'outcome'>): void {
  if (['', 'completed', 'interrupted'].includes(outcome)) return;
  for (const id of [`u${turn}`, `a${turn}`]) {
    const message = messages.find(id);
    if (message) messages.replace(message, { outcome });
  }
}

/** Its time is not known here. */
function remember(messages: Shown, said: Pick<TextMessage, 'turn' | 'role' | 'text' | 'interrupted'>): void {
  if (!said.text) return;
  const id = `${said.role[0]}${said.turn}`;
  const old = messages.find(id);
  const past = { ...said, final: true, heard: undefined };
  if (old) messages.replace(old, past);
  else messages.add({ kind: 'text', id, at: Date.now(), source: 'speech', ...past });
}
