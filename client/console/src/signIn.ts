/** Sign-in at an identity provider: OpenID Connect's code flow with a proof key (RFC 7636), which needs no secret. */

/** `signIn` of `config.json`. */
export interface Provider {
  readonly authorize: string;
  readonly token: string;
  readonly client: string;
}

interface Held {
  readonly token: string;
  readonly refresh: string | undefined;
  /** epoch ms */
  readonly until: number;
}

/** Of the tab, for the way to the provider and back. */
const KEPT = 'vivavoce.sign-in';
const EARLY_MS = 60_000;

/** Leaves this page for the provider's, which sends the person back. */
export async function leaveToSignIn(provider: Provider): Promise<void> {
  const [verifier, state] = [random(), random()];
  sessionStorage.setItem(KEPT, JSON.stringify({ verifier, state }));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const asked = new URLSearchParams({
    response_type: 'code',
    client_id: provider.client,
    redirect_uri: here(),
    scope: 'openid',
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
  });
  location.assign(`${provider.authorize}?${asked}`);
}

/** Where ID tokens come from once the provider has sent the person back; null: nobody has come back, or a forgery. */
export async function comeBack(provider: Provider): Promise<(() => Promise<string>) | null> {
  const query = new URLSearchParams(location.search);
  const [code, state, kept] = [query.get('code'), query.get('state'), sessionStorage.getItem(KEPT)];
  if (code === null) return null;
  sessionStorage.removeItem(KEPT);
  history.replaceState(null, '', location.pathname); // addresses are kept and shared
  const asked = kept === null ? null : (JSON.parse(kept) as { readonly verifier: string; readonly state: string });
  if (asked === null || asked.state !== state) return null;
  let held = await exchange(provider, { grant_type: 'authorization_code', code, redirect_uri: here(), code_verifier: asked.verifier });
  return async () => {
    if (held.refresh !== undefined && held.until - Date.now() < EARLY_MS) {
      held = await exchange(provider, { grant_type: 'refresh_token', refresh_token: held.refresh }, held.refresh);
    }
    return held.token;
  };
}

async function exchange(provider: Provider, grant: Record<string, string>, refresh?: string): Promise<Held> {
  const body = new URLSearchParams({ ...grant, client_id: provider.client });
  const answer = await fetch(provider.token, { method: 'POST', body });
  if (!answer.ok) throw new Error(`sign-in: HTTP ${answer.status}`);
  const told = (await answer.json()) as { readonly id_token: string; readonly refresh_token?: string; readonly expires_in: number };
  return { token: told.id_token, refresh: told.refresh_token ?? refresh, until: Date.now() + told.expires_in * 1000 };
}

function here(): string {
  return location.origin + location.pathname;
}

function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
