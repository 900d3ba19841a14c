/** URL that the page connects to, and the user it names. */

import { comeBack, leaveToSignIn, type Provider } from './signIn';

/** An agent as the pickers show it. */
export interface Agent {
  readonly name: string;
  readonly voice: string | null;
  readonly language: string | null;
  readonly greeting: string | null;
  readonly allow: readonly string[];
}

/**
 * How this page came here: from a stack on this machine, which signs its user in; from a deployment, by a link that
 * does; from one without such a link; or from a server that knows nothing of calls.
 */
export type Standing = 'local' | 'signed-in' | 'signed-out' | 'unserved';

export interface Admission {
  readonly standing: Standing;
  /** The control road; empty when there is none. */
  readonly url: string;
  /** Empty: the server's own choice. */
  readonly agents: readonly Agent[];
  /** Faults that this page may inject; only on this machine. */
  readonly breaks: readonly ServerPart[];
  /** Leaves for the identity provider; absent where the deployment has none. */
  readonly signIn?: () => Promise<void>;
  token(signal?: AbortSignal): Promise<string>;
}

export type ServerPart = 'relay' | 'model';

/** `config.json`, as the server of the page answers it. */
interface Config {
  readonly url: string;
  /** Source of a session's token; on this machine only. */
  readonly session?: string;
  readonly agents?: readonly Agent[];
  readonly breaks?: readonly ServerPart[];
  readonly signIn?: Provider;
}

export async function admit(): Promise<Admission> {
  const link = takeToken();
  const config = await read<Config>('config.json').catch(() => null);
  const agents = config?.agents ?? [];
  const breaks = config?.breaks ?? [];
  const url = config?.url ?? '';
  if (config?.session) return { standing: 'local', url, agents, breaks, token: (signal) => ask(config.session!, signal) };
  if (config?.signIn && !link) {
    const provider = config.signIn;
    const token = await comeBack(provider).catch(() => null);
    if (token) return { standing: 'signed-in', url, agents, breaks, token };
    return { standing: 'signed-out', url, agents, breaks, signIn: () => leaveToSignIn(provider), token: () => Promise.resolve('') };
  }
  const standing = !config ? 'unserved' : link ? 'signed-in' : 'signed-out';
  return { standing, url, agents, breaks, token: () => Promise.resolve(link) };
}

/** Has the stack on this machine break a part under a session. False: there was nothing to break. */
export async function breakServer(part: ServerPart, session: string): Promise<boolean> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`dev/break/${part}?session=${encodeURIComponent(session)}`, { method: 'POST', headers, body: '{}' });
  return answer.ok;
}

/** The token of a link that signs in, `#token=…`. It leaves the address at once: addresses are kept and shared. */
function takeToken(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token !== null) history.replaceState(null, '', location.pathname + location.search);
  return token ?? '';
}

async function ask(path: string, signal?: AbortSignal): Promise<string> {
  return (await read<{ readonly token: string }>(path, signal)).token;
}

async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  const answer = await fetch(path, { cache: 'no-store', ...(signal ? { signal } : {}) });
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status}`);
  return (await answer.json()) as T;
}
