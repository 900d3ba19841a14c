import type { SessionSource } from 'vivavoce';

const local = () =>
  fetch('/dev/session.json').then((answer) => answer.json() as Promise<{ url: string; token: string }>);

/** With the local stack. Your own app knows its control URL, and asks its own backend for the token. */
export const session: SessionSource = {
  url: (await local()).url,
  token: async () => (await local()).token,
};
