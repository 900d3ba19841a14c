import { badOption, isAboutToken, received, toVoiceError, VoiceError } from '../errors.js';
import type { SessionSource, TokenContext } from '../options.js';
import { RemoteProtocolError } from '../protocol/checks.js';
import { decodeReply } from '../protocol/codec.js';
import { offer } from '../protocol/credentials.js';
import { CONTROL_MESSAGE_BYTES, REPLY_TIMEOUT_MS, RESUME_TIMEOUT_MS } from '../protocol/tables.js';
import type { ControlError, ControlReply, ControlRequest, Ready, Start, Starting } from '../protocol/wire.js';
import { Line, type Link } from './line.js';
import type { Step } from './reconnect.js';
import { aborted, throwIfAborted } from './wait.js';

type Reason = TokenContext['reason'];

/**
 * The control road of one session: one WebSocket per request. After `ready` nothing more is said there, and a reply to
 * an earlier request can never be taken for one to this. Not for concurrent use. All of it rejects with VoiceError.
 */
export class Control {
  /** Empty until the server has admitted us. */
  session = '';
  resumeKey = '';
  #newest = 0; //: highest `i` of the replies to this request: a session that got no relay is opened anew
  #line: Line | null = null; //: that is open
  readonly #link: Link;
  readonly #source: SessionSource;
  readonly #onStarting: (stage: Starting) => void;

  constructor(link: Link, source: SessionSource, onStarting: (stage: Starting) => void) {
    this.#link = link;
    this.#source = source;
    this.#onStarting = onStarting;
  }

  /** One request, once: `start`, or a resume of the session. */
  async ask(step: Step, start: Start | null, signal: AbortSignal): Promise<Ready> {
    const { session, resumeKey } = this;
    const isStart = step.do === 'start';
    const resume = { type: 'resume', session, resume_key: resumeKey, media_failed: !!step.mediaFailed } as const;
    const reason = step.refresh ? 'refresh' : isStart ? 'connect' : 'reconnect';
    return (await this.#exchange(isStart ? (start as Start) : resume, reason, signal)) as Ready;
  }

  /** End the session, however far it came. */
  async end(signal: AbortSignal): Promise<void> {
    if (this.session) await this.#exchange({ type: 'end', session: this.session }, 'end', signal);
  }

  /** End the session on the connection that is open, if one is: there is no time for another. */
  leave(): void {
    if (this.session) this.#line?.send({ type: 'end', session: this.session });
  }

  /** Send `request`, and hear replies until the one that answers it. */
  async #exchange(request: ControlRequest, reason: Reason, signal: AbortSignal): Promise<ControlReply> {
    const { url } = this.#source ?? {};
    if (!url) throw badOption('session.url');
    const { type } = request;
    // At a larger one the gateway closes, and does not say why.
    if (new Blob([JSON.stringify(request)]).size > CONTROL_MESSAGE_BYTES)
      throw new VoiceError('too_large', type, { ref: type });
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
    this.#newest = 0;
    return new Promise((resolve, reject) => {
      let isOpen = false;
      const stop = () => {
        reject(aborted());
        line.close(1000);
      };
      const line = new Line(this.#link, 'control', url, protocols, {
        opened: () => {
          isOpen = true;
          this.#line = line;
          line.setDeadline(request.type === 'resume' ? RESUME_TIMEOUT_MS : REPLY_TIMEOUT_MS);
          line.send(request);
        },
        received: (data) => {
          const reply = this.#read(data, line);
          if (!reply) return;
          line.setDeadline(REPLY_TIMEOUT_MS);
          if (reply.type === 'error') reject(received(this.#withVerdict(reply)));
          else if (reply.type === wanted) resolve(reply);
          else return;
          line.close(1000);
        },
        closed: (code) => {
          signal.removeEventListener('abort', stop);
          if (this.#line === line) this.#line = null;
          // A browser does not say why a handshake failed.
          const lost = isOpen ? 'connection_lost' : 'connect_failed';
          reject(new VoiceError(code ? lost : 'connect_timeout'));
        },
      });
      signal.addEventListener('abort', stop);
    });
  }

  /** Not retryable when a fixed token was refused: it would be again. */
  #withVerdict(error: ControlError): ControlError {
    const isFixed = typeof this.#source.token === 'string' && isAboutToken(error.code);
    return { ...error, retryable: error.retryable && !isFixed };
  }

  /** Null for what is old or of a newer server; what is no reply, as API Gateway's own frame, ends the request. */
  #read(data: string | ArrayBuffer, line: Line): ControlReply | null {
    try {
      const reply = decodeReply(`${data}`);
      line.show('in', reply);
      const newest = reply.i || this.#newest;
      if (newest < this.#newest) return null;
      this.#newest = newest;
      if ('resume_key' in reply) {
        this.session = reply.session;
        this.resumeKey = reply.resume_key;
      }
      if (reply.type === 'starting') this.#onStarting(reply);
      return reply;
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      if (error.code !== 'unknown_type') line.close(1000);
      return null;
    }
  }

  async #token(reason: Reason, signal: AbortSignal): Promise<string> {
    const { token } = this.#source;
    if (!token) throw badOption('session.token');
    try {
      const given = typeof token === 'string' ? token : await token({ reason, signal });
      if (given && typeof given === 'string') return given;
      throw new VoiceError('token_failed');
    } catch (error) {
      throw toVoiceError(error, 'token_failed');
    }
  }
}
