'use server';

// With the local stack, which gives a token to whoever asks on this machine. Your own server knows who is signed in,
// and signs the token itself: docs/admission.md.
const page = process.env.VIVAVOCE_PAGE ?? 'http://127.0.0.1:8787';

async function local(): Promise<{ url: string; token: string }> {
  const answer = await fetch(`${page}/dev/session.json`, { cache: 'no-store' });
  return answer.json();
}

export async function controlUrl(): Promise<string> {
  return (await local()).url;
}

/** Asked before every connection. */
export async function token(): Promise<string> {
  return (await local()).token;
}
