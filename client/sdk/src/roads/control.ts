import { badOption, isAboutToken, received, toVoiceError, VoiceError } from '../errors.js';
import type { SessionSource, TokenContext } from '../options.js';
import { RemoteProtocolError } from '../protocol/checks.js';
import { decodeReply } from '../protocol/codec.js';
import { offer } from '../protocol/credentials.js';
import type { ControlReply, ControlRequest, Ready, Start, Starting } from '../protocol/wire.js';
import { Line, type Link } from './line.js';
import { aborted, Backoff, throwIfAborted } from './wait.js';

const REPLY_TIMEOUT_MS = 30_000; //: longest silence on a request; then it is made again: replies can get lost
const RESUME_TIMEOUT_MS = 8_000; //: for the first reply to a resume: somebody is in mid-conversation
const START_PATIENCE_MS = 150_000; //: for a session that was admitted; a relay may take a minute to start
const CUT_OFFS = 2; //: a start is sent again so often while nothing at all is answered

type Reason = TokenContext['reason'];

/**
 * The control road of one session: one WebSocket per request. After `ready` nothing more is said there, and a reply to
 * an earlier request can never be taken for one to this. Not for concurrent use. All of it rejects with VoiceError.
 */
export class Control {
  /** Empty until the server has admitted us. */
  session = '';
  resumeKey = '';
  #newest = 0; //: highest `i` of the session's replies
  #line: Line | null = null; //: that is open
  readonly #link: Link;
  readonly #source: SessionSource;
  readonly #onStarting: (stage: Starting) => void;

  constructor(link: Link, source: SessionSource, onStarting: (stage: Starting) => void) {
    this.#link = link;
    this.#source = source;
    this.#onStarting = onStarting;
  }

  /** Open a session. Made again when the connection is lost: `request.request` makes sure it stays one session. */
  start(request: Start, signal: AbortSignal): Promise<Ready> {
    return new Backoff(START_PATIENCE_MS, {}, signal, () => {}).retry(
      () => this.#ready(request, 'connect', signal),
      (error, attempt) => {
        const isCutOff = error.code === 'connection_lost' && attempt < CUT_OFFS;
        const isWaitedFor = this.session && error.retryable && !isAboutToken(error.code);
        if (!isCutOff && !isWaitedFor) throw error;
      },
    );
  }

  /** A new way to the same session, by one attempt. */
  resume(mediaFailed: boolean, signal: AbortSignal): Promise<Ready> {
    const { session, resumeKey } = this;
    const request = { type: 'resume', session, resume_key: resumeKey, media_failed: mediaFailed } as const;
    return this.#ready(request, 'reconnect', signal);
  }

  /** End the session, however far it came. */
  async end(signal: AbortSignal): Promise<void> {
    if (this.session) await this.#exchange({ type: 'end', session: this.session }, 'end', signal);
  }

  /** End the session on the connection that is open, if one is: there is no time for another. */
  leave(): void {
    if (this.session) this.#line?.send({ type: 'end', session: this.session });
  }

  async #ready(request: Start | ControlRequest, reason: Reason, signal: AbortSignal): Promise<Ready> {
    try {
      return (await this.#exchange(request, reason, signal)) as Ready;
    } catch (thrown) {
      const { code } = toVoiceError(thrown);
      if (!isAboutToken(code)) throw thrown;
      if (typeof this.#source.token === 'string')
        throw new VoiceError(code, '', { retryable: false });
    }
    return (await this.#exchange(request, 'refresh', signal)) as Ready;
  }

  /** Send `request`, and hear replies until the one that answers it. */
  async #exchange(request: ControlRequest, reason: Reason, signal: AbortSignal): Promise<ControlReply> {
    const { url } = this.#source ?? {};
    if (!url) throw badOption('session.url');
    const protocols = offer('jwt', await this.#token(reason, signal));
    throwIfAborted(signal);
    try {
      return await this.#ask(request, url, protocols, signal);
    } catch (thrown) {
      throw thrown instanceof VoiceError ? thrown : badOption('session.url', thrown); // the platform took no such URL
    }
  }

  #ask(
    request: ControlRequest,
    url: string,
    protocols: readonly string[],
    signal: AbortSignal,
  ): Promise<ControlReply> {
    const wanted = request.type === 'end' ? 'ended' : 'ready';
    return new Promise((resolve, reject) => {
      let isOpen = false;
      const line = new Line(this.#link, 'control', url, protocols, {
        opened: () => {
          isOpen = true;
          this.#line = line;
          line.within(request.type === 'resume' ? RESUME_TIMEOUT_MS : REPLY_TIMEOUT_MS);
          line.send(request);
        },
        received: (data) => {
          const reply = this.#read(data, line);
          if (!reply) return;
          line.within(REPLY_TIMEOUT_MS);
          if (reply.type === 'error') reject(received(reply));
          else if (reply.type === wanted) resolve(reply);
          else return;
          line.close(1000);
        },
        closed: (code) => {
          if (this.#line === line) this.#line = null;
          // A browser does not say why a handshake failed.
          const lost = isOpen ? 'connection_lost' : 'connect_failed';
          reject(new VoiceError(code ? lost : 'connect_timeout'));
        },
      });
      signal.addEventListener('abort', () => {
        reject(aborted());
        line.close(1000);
      });
    });
  }

  /** Null for what is old, of a newer server, or no message. */
  #read(data: string | ArrayBuffer, line: Line): ControlReply | null {
    try {
      const reply = decodeReply(typeof data === 'string' ? data : '');
      line.show('in', reply);
      if (reply.i && reply.i < this.#newest) return null;
      this.#newest = Math.max(this.#newest, reply.i);
      if ('resume_key' in reply) {
        this.session = reply.session;
        this.resumeKey = reply.resume_key;
      }
      if (reply.type === 'starting') this.#onStarting(reply);
      return reply;
    } catch (error) {
      if (error instanceof RemoteProtocolError) return null;
      throw error;
    }
  }

  async #token(reason: Reason, signal: AbortSignal): Promise<string> {
    const { token } = this.#source;
    if (!token) throw badOption('session.token');
    if (typeof token === 'string') return token;
    try {
      const given = await token({ reason, signal });
      if (given && typeof given === 'string') return given;
    } catch (error) {
      throw toVoiceError(error, 'token_failed');
    }
    throw new VoiceError('token_failed');
  }
}
