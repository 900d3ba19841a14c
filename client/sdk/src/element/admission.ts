import type * as core from '../index.js';

/** The client's module, which is fetched when it is needed. */
export type Core = typeof core;

/** Answer of a `token-url`: a JWT, and where to use it if it says so. */
export interface Admission {
  readonly token: string;
  readonly url?: string | undefined;
}

/** What the element keeps of an answer that told it where to call. */
export interface Admitted {
  url: string;
  /** Its token, until the first call takes it; empty then. */
  spare: string;
}

/**
 * Ask `tokenUrl` for a token: the answer is the JWT as text, or JSON with `token` and perhaps `url`. Rejects with
 * VoiceError: `connect_failed` where nothing answers, `token_failed` where the answer is another.
 */
export async function admit(tokenUrl: string, { VoiceError }: Core, signal?: AbortSignal): Promise<Admission> {
  const asked = { cache: 'no-store', credentials: 'same-origin', signal: signal ?? null } as const;
  const answer = await fetch(tokenUrl, asked).catch((cause) => {
    throw new VoiceError('connect_failed', `nothing answers at ${tokenUrl}`, { cause });
  });
  if (answer.status >= 500) throw new VoiceError('connect_failed', `${tokenUrl}: HTTP ${answer.status}`);
  if (!answer.ok) throw new VoiceError('token_failed', `${tokenUrl}: HTTP ${answer.status}`);
  const text = (await answer.text()).trim();
  try {
    return text.startsWith('{') ? (JSON.parse(text) as Admission) : { token: text };
  } catch (cause) {
    throw new VoiceError('token_failed', `${tokenUrl} answered neither a token nor JSON`, { cause });
  }
}
