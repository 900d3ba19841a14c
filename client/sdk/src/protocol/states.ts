export type ClientState = 'new' | 'joining' | 'live' | 'broken' | 'ended';
export type ClientEvent = 'hello' | 'live' | 'lost' | 'end';

/** A missing pair is illegal: a bug of this client, never an effect of what a peer sent. */
export const CLIENT: Record<ClientState, Partial<Record<ClientEvent, ClientState>>> = {
  new: { hello: 'joining', end: 'ended' },
  joining: { live: 'live', lost: 'broken', end: 'ended' },
  live: { lost: 'broken', end: 'ended' },
  broken: { hello: 'joining', lost: 'broken', end: 'ended' },
  ended: { lost: 'ended', end: 'ended' },
};

/** The state after `event`. Throws for an illegal pair. */
export function advance(state: ClientState, event: ClientEvent): ClientState {
  const next = CLIENT[state][event];
  if (!next) throw new Error(`out_of_order: ${event}`);
  return next;
}
