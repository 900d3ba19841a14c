import type { TokenContext, VoiceClientOptions } from '../options.js';
import { webSockets } from '../roads/transport.js';
import { type Opening, Road } from './road.js';

const LIFE_MS = 120_000; //: without a call; the gateway would close it after ten minutes
const PAUSE_MS = 10_000; //: after a failure: a pointer that comes and goes must not become a load

/** Whoever has the options of the next call. */
interface Host {
  readonly options: VoiceClientOptions;
}

/**
 * The control road opened before the click, for the first request of the next call. Whatever becomes of it is silent: a
 * call that finds none opens its own.
 */
export class EarlyRoad {
  #road: Road | null = null;
  #failedAt = -Infinity;
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Open it unless it is open; its time begins anew. Resolves when it is open, or cannot be had; never rejects. */
  async open(): Promise<void> {
    const { session, transport = webSockets, prepareTimeoutMs: lifeMs = LIFE_MS } = this.#host.options;
    if (!session?.url || !session.token || globalThis.document?.hidden) return;
    if (!this.#road?.serves(session)) {
      this.close();
      if (Date.now() - this.#failedAt < PAUSE_MS) return;
      const road: Road = new Road(session, transport, (hasFailed) => {
        if (hasFailed) this.#failedAt = Date.now();
        if (road === this.#road) this.#road = null;
      });
      this.#road = road;
    }
    this.#road?.keep(lifeMs);
    await this.#road?.settled;
  }

  close(): void {
    this.#road?.close();
  }

  /** The host of a call that begins: its first request goes on this road, if that is there by then. */
  lend<H extends Host>(host: H): H {
    const { session, transport = webSockets } = host.options;
    const road = this.#road;
    if (!road?.serves(session)) return { ...host };
    const { token } = session;
    const prepared = async (context: TokenContext) =>
      (context.reason !== 'refresh' && (await road.token())) || (token as Exclude<typeof token, string>)(context);
    const options = {
      ...host.options,
      session: { ...session, token: typeof token === 'string' ? token : prepared },
      transport: { open: (...opening: Opening) => road.take(opening) ?? transport.open(...opening) },
    };
    return { ...host, options };
  }
}
