import type { SessionSource } from 'vivavoce';

/** The page of `make run`. */
export const PAGE = 'http://127.0.0.1:8787';

async function local(page: string): Promise<{ url: string; token: string }> {
  const answer = await fetch(`${page}/dev/session.json`);
  return (await answer.json()) as { url: string; token: string };
}

/** With the local stack. Your own app knows its control URL, and asks its own backend for the token. */
export async function session(page = PAGE): Promise<SessionSource> {
  const { url } = await local(page);
  return { url, token: async () => (await local(page)).token };
}
