import type { SessionSource } from 'vivavoce';

export const page = import.meta.env.VIVAVOCE_PAGE as string;

const local = async () => {
  const answer = await fetch(`${page}/dev/session.json`);
  return (await answer.json()) as { url: string; token: string };
};

/**
 * With the local stack, which answers every page of this machine. Your own app knows its control URL, and asks its own
 * backend for the token.
 */
export async function session(): Promise<SessionSource> {
  const { url } = await local();
  return { url, token: async () => (await local()).token };
}
