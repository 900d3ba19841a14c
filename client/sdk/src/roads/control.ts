import { isAboutToken, toVoiceError, VoiceError } from '../errors.js';
import type { SessionSource, TokenContext } from '../options.js';
import { decodeReply, RemoteProtocolError } from '../protocol/codec.js';
import { offer } from '../protocol/credentials.js';
import type { ControlReply, ControlRequest, Ready, Start, Starting } from '../protocol/wire.js';
import { type Link, received } from './link.js';
import { aborted, Backoff, throwIfAborted } from './wait.js';

const OPEN_TIMEOUT_MS = 10_000; //: for the handshake
const REPLY_TIMEOUT_MS = 30_000; //: longest silence on a request; then it is made again: replies can get lost
const START_PATIENCE_MS = 150_000; //: for a session that was admitted; a relay may take a minute to start
const CUT_OFF_LIMIT = 3; //: a start is sent again so often while nothing at all is answered

type Reason = TokenContext['reason'];

/**
 * The control road of one session: one WebSocket per request. After `ready` nothing more is said there, and a reply to
 * an earlier request can never be taken for one to this. Not for concurrent use.
 */
export class Control {
  /** Empty until the server has admitted us. */
  session = '';
  resumeKey = '';
  #newest = 0; //: highest `i` of the session's replies
  readonly #link: Link;
  readonly #source: SessionSource;

  constructor(link: Link, source: SessionSource) {
    this.#link = link;
    this.#source = source;
  }

  /** Open a session. Made again when the connection is lost: `request.request` makes sure it stays one session. */
  async start(request: Start, onStarting: (stage: Starting) => void, signal: AbortSignal): Promise<Ready> {
    const retry = new Backoff(START_PATIENCE_MS, {});
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await this.#ready(request, 'connect', onStarting, signal);
      } catch (thrown) {
        const error = toVoiceError(thrown, 'connect_failed');
        const isCutOff = error.code === 'connection_lost' && attempts < CUT_OFF_LIMIT;
        const isWaitedFor = this.session !== '' && error.retryable && !error.fatal && !isAboutToken(error.code);
        if (!isCutOff && !isWaitedFor) throw error;
        await retry.wait(error, signal, () => {});
      }
    }
  }

  /** A new way to the same session, by one attempt. */
  resume(mediaFailed: boolean, signal: AbortSignal): Promise<Ready> {
    const request = { type: 'resume', session: this.session, resume_key: this.resumeKey } as const;
    const full = mediaFailed ? { ...request, media_failed: true } : request;
    return this.#ready(full, 'reconnect', () => {}, signal);
  }

  /** End the session, however far it came. */
  async end(signal: AbortSignal): Promise<void> {
    if (!this.session) return;
    const request = { type: 'end', session: this.session } as const;
    await this.#exchange(request, 'end', signal, (reply) => reply.type === 'ended');
  }

  async #ready(
    request: Start | ControlRequest,
    reason: Reason,
    onStarting: (stage: Starting) => void,
    signal: AbortSignal,
  ) {
    try {
      return await this.#ask(request, reason, onStarting, signal);
    } catch (error) {
      if (!(error instanceof VoiceError) || !isAboutToken(error.code)) throw error;
      if (typeof this.#source.token === 'string')
        throw new VoiceError(error.code, 'A fixed token will be refused again.', { retryable: false, fatal: true });
    }
    return await this.#ask(request, 'refresh', onStarting, signal);
  }

  async #ask(request: ControlRequest, reason: Reason, onStarting: (stage: Starting) => void, signal: AbortSignal) {
    let ready: Ready | undefined;
    await this.#exchange(request, reason, signal, (reply) => {
      if (reply.type !== 'starting' && reply.type !== 'ready') return false;
      this.session = reply.session;
      this.resumeKey = reply.resume_key;
      if (reply.type === 'starting') onStarting(reply);
      else ready = reply;
      return reply.type === 'ready';
    });
    return ready as Ready;
  }

  /** Send `request`, hear replies until `isAnswer`. Rejects with VoiceError. */
  async #exchange(
    request: ControlRequest,
    reason: Reason,
    signal: AbortSignal,
    isAnswer: (reply: ControlReply) => boolean,
  ): Promise<void> {
    const protocols = offer('jwt', await this.#token(reason, signal));
    throwIfAborted(signal);
    await new Promise<void>((resolve, reject) => {
      let timer = setTimeout(() => settle(new VoiceError('connect_timeout')), OPEN_TIMEOUT_MS);
      let isOpen = false;
      const settle = (error?: VoiceError) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        socket.close(1000);
        if (error) reject(error);
        else resolve();
      };
      const abort = () => settle(aborted());
      const listen = () => {
        clearTimeout(timer);
        timer = setTimeout(() => settle(new VoiceError('connect_timeout')), REPLY_TIMEOUT_MS);
      };
      const socket = this.#link.transport.open(this.#source.url, protocols, {
        opened: () => {
          isOpen = true;
          socket.send(JSON.stringify(request));
          this.#link.show('out', 'control', request);
          listen();
        },
        received: (data) => {
          const reply = this.#read(data);
          if (!reply) return;
          listen();
          if (reply.type === 'error') settle(received(reply));
          else if (isAnswer(reply)) settle();
        },
        closed: () => settle(isOpen ? new VoiceError('connection_lost') : refused()),
      });
      signal.addEventListener('abort', abort);
    });
  }

  /** Null for what is old, of a newer server, or no message. */
  #read(data: string | ArrayBuffer): ControlReply | null {
    try {
      const reply = decodeReply(typeof data === 'string' ? data : '');
      this.#link.show('in', 'control', reply);
      if (reply.i && reply.i < this.#newest) return null;
      this.#newest = Math.max(this.#newest, reply.i);
      return reply;
    } catch (error) {
      if (error instanceof RemoteProtocolError) return null;
      throw error;
    }
  }

  async #token(reason: Reason, signal: AbortSignal): Promise<string> {
    const { token } = this.#source;
    if (typeof token === 'string') return token;
    try {
      return await token({ reason, signal });
    } catch (error) {
      throw toVoiceError(error, 'token_failed');
    }
  }
}

/** A browser does not say why a handshake failed. */
function refused(): VoiceError {
  return new VoiceError('connect_failed', 'No connection: server down, token forged, or this origin not allowed.');
}
