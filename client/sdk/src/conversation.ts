import type { PlaybackReport, PlayedUntil, Player } from './audio/engine.js';
import { since } from './clock.js';
import { received, type VoiceError } from './errors.js';
import type { CallHost } from './call-host.js';
import { Messages } from './messages.js';
import type { ToolCalls } from './ondemand/calls.js';
import { type Chunk, onDemand } from './ondemand.js';
import type { ClientSession, Incoming } from './protocol/session.js';
import type {
  Budget,
  Citation,
  GoingAway,
  Metrics as Measured,
  ToolCall,
  TurnEnded,
  TurnInterrupted,
  TurnStarted,
} from './protocol/wire.js';
import type { Outbox } from './roads/outbox.js';
import { moveWithinMs } from './roads/reconnect.js';

/** `ack` is the session's business, `ended` the lifeline's, `pong` the road's. */
type Handled = Exclude<Incoming['type'], 'ack' | 'ended' | 'pong'>;
type Reactions = { readonly [T in Handled]: (item: Extract<Incoming, { type: T }>) => void };

/** Reactions of a call to what arrives: play, stop playing, run tools, update the snapshot. */
export class Conversation {
  readonly messages: Messages;
  #speaking = 0; //: the agent's turn that is open, 0 for none
  #playing = 0; //: the agent's turn that is played, 0 for none
  #settled = 0; //: up to this turn, the end of playback is reported
  #isAwaited = false; //: the user has spoken, the agent has not
  #mustMove = false;
  #isOver = false;
  #moveTimer: ReturnType<typeof setTimeout> | undefined;
  #frame = { turn: 0, at: 0 }; //: when the first of the latest turn came
  #sound = { turn: 0, at: 0 }; //: when the first of the latest turn was played
  #releasedAt = 0; //: when push-to-talk was released, until the answer sounds
  #calls: ToolCalls | undefined; //: once there was one
  readonly #host: CallHost;
  readonly #session: ClientSession;
  readonly #outbox: Outbox;
  readonly #move: () => void;
  readonly #reactions: Reactions;

  constructor(host: CallHost, session: ClientSession, outbox: Outbox, move: () => void) {
    this.#host = host;
    this.#session = session;
    this.#outbox = outbox;
    this.#move = move;
    this.messages = new Messages(host);
    this.#reactions = this.#react();
  }

  get #player(): Player | undefined {
    return this.#host.sound.engine?.player;
  }

  #react(): Reactions {
    const { store, emitter } = this.#host;
    const late = (item: Citation | Budget) => this.#fetched(({ tell }) => tell(emitter, item));
    return {
      audio: ({ turn, pcm }) => {
        if (turn !== this.#frame.turn) this.#frame = { turn, at: performance.now() };
        this.#player?.play(turn, pcm);
      },
      live: () => this.#catchUp(),
      history: (item) => this.#fetched(({ recall }) => recall(this.messages, item)),
      'turn.started': (item) => this.#turnStarted(item),
      'turn.audio_end': ({ turn }) => this.#player?.finish(turn),
      'turn.ended': (item) => this.#turnEnded(item),
      'turn.interrupted': (item) => void this.#interrupted(item),
      transcript: (item) => this.messages.transcript(item),
      'tool.call': (item) => this.#withTools((calls) => void calls.run(item), item),
      'tool.cancel': (item) => this.#withTools((calls) => calls.withdraw(item)),
      'tool.status': (item) => this.#withTools((calls) => calls.show(item)),
      citation: late,
      budget: late,
      usage: (usage) => store.set({ usage }),
      metrics: (item) => this.#measured(item),
      going_away: (item) => this.#goingAway(item),
      error: (item) => {
        // `call_unknown` answers a result that crossed the call's cancelling.
        if (!item.fatal && item.code !== 'call_unknown') emitter.emit('error', received(item));
      },
    };
  }

  receive(item: Incoming): void {
    (this.#reactions[item.type as Handled] as ((item: Incoming) => void) | undefined)?.(item);
  }

  /** Stop playing at once, then let the server drop the rest. Null: the agent was not speaking. */
  async interrupt(): Promise<PlayedUntil | null> {
    const turn = this.#playing || this.#speaking;
    if (!turn) return null;
    const played = await this.#silence(turn);
    if (this.#isOver) return played;
    this.#outbox.report({ type: 'interrupt', turn, played_ms: played.playedMs });
    this.#flushed(played, 'client');
    return played;
  }

  /** Pass a report of the player to the server and into the snapshot. */
  played({ turn, state, playedMs, bufferedMs }: PlaybackReport): void {
    if (turn <= this.#settled) return;
    this.#outbox.report({
      type: 'playback',
      turn,
      state,
      played_ms: Math.round(playedMs),
      buffered_ms: Math.round(bufferedMs),
    });
    if (state === 'started') this.#playbackStarted(turn);
    if (state !== 'drained') return;
    this.#settled = turn;
    this.#playbackEnded({ turn, playedMs, droppedMs: 0 }, false);
  }

  /** Push-to-talk was released: an answer is expected. */
  released(): void {
    this.#releasedAt = performance.now();
    this.expectAnswer();
  }

  expectAnswer(): void {
    this.#isAwaited = true;
    this.#showAgent();
  }

  close(): void {
    this.#isOver = true;
    clearTimeout(this.#moveTimer);
    this.#calls?.cancelAll();
  }

  #catchUp(): void {
    if (this.#session.isMoved) {
      // Another relay: what the last one had begun ends here.
      this.#player?.finish(this.#session.lastTurn);
      this.#calls?.cancelAll();
      this.messages.broken();
      this.#speaking = 0;
      this.#isAwaited = false;
    }
    this.#mustMove = false;
    clearTimeout(this.#moveTimer);
    this.#showAgent();
  }

  #turnStarted({ turn, role }: TurnStarted): void {
    if (role === 'user') this.#host.emitter.emit('userspeechstart', turn);
    else this.#speaking = turn;
    this.#showAgent();
  }

  #turnEnded(item: TurnEnded): void {
    const { turn, role, outcome } = item;
    if (role === 'user') {
      this.expectAnswer();
      this.#host.emitter.emit('userspeechend', turn);
      return;
    }
    this.#player?.finish(turn);
    if (this.#speaking === turn) this.#speaking = 0;
    this.#isAwaited = false;
    this.#showAgent();
    // The usual ones, and none from an older server, need no word.
    if (!/^(completed|interrupted)?$/.test(outcome)) this.#fetched(({ settle }) => settle(this.messages, item));
  }

  async #interrupted({ turn, cause }: TurnInterrupted): Promise<void> {
    const at = performance.now();
    this.messages.interrupted(turn);
    if (this.#speaking <= turn) this.#speaking = 0;
    this.#isAwaited = false;
    const wasOurs = turn <= this.#settled;
    const played = await this.#silence(turn);
    if (this.#isOver) return; // another call may have the snapshot
    if (!wasOurs) {
      this.#host.store.setMetrics({ flushMs: since(at) });
      this.#flushed(played, cause);
    }
    this.#showAgent();
  }

  /** Stop playing `turn` and earlier at once. */
  async #silence(turn: number): Promise<PlayedUntil> {
    this.#session.interrupt(turn);
    const flushed = await this.#player?.flush(turn);
    if (!this.#isOver) this.#host.store.setMetrics({ bufferedMs: 0 });
    const { playedMs = 0, droppedMs = 0 } = flushed ?? {};
    return { turn, playedMs: Math.round(playedMs), droppedMs: Math.round(droppedMs) };
  }

  #flushed(played: PlayedUntil, cause: TurnInterrupted['cause']): void {
    const { turn, playedMs } = played;
    if (turn > this.#settled) {
      this.#settled = turn;
      if (this.#host.sound.engine)
        this.#outbox.report({ type: 'playback', turn, state: 'flushed', played_ms: playedMs });
      this.messages.interrupted(turn);
      this.#playbackEnded(played, true);
    }
    this.#host.emitter.emit('interrupted', { ...played, cause });
  }

  #playbackStarted(turn: number): void {
    this.#playing = turn;
    this.#isAwaited = false;
    this.#sound = { turn, at: performance.now() };
    if (this.#releasedAt) this.#host.store.setMetrics({ responseMs: since(this.#releasedAt) });
    this.#releasedAt = 0;
    this.#host.emitter.emit('agentspeechstart', turn);
    this.#showAgent();
  }

  #playbackEnded(played: PlayedUntil, interrupted: boolean): void {
    if (this.#playing !== played.turn) return;
    this.#playing = 0;
    this.#host.store.setSpeaker({ playing: false });
    this.#host.emitter.emit('agentspeechend', { ...played, interrupted });
    this.#showAgent();
  }

  /** Under `turns: auto` only the server knows when speech ended; to its time comes the way from there to the ear. */
  #measured({ turn, first_audio_ms: firstAudioMs, generation_ms, audio_ms }: Measured): void {
    const server = { firstAudioMs, generationMs: generation_ms, audioMs: audio_ms };
    const { store, options } = this.#host;
    const [frame, sound] = [this.#frame, this.#sound];
    const isKnown = firstAudioMs && frame.turn === turn && sound.turn === turn && options.config?.turns !== 'manual';
    const transitMs = (store.state.metrics.rttMs ?? 0) / 2;
    const responseMs = Math.round(firstAudioMs + transitMs + sound.at - frame.at);
    store.setMetrics(isKnown ? { server, responseMs } : { server }); // at once: a listener takes both for one answer
  }

  /** Act with code that few calls need. */
  #fetched(act: (chunk: Chunk) => void, failed = (error: VoiceError) => this.#host.emitter.emit('error', error)): void {
    onDemand().then((chunk) => this.#isOver || act(chunk), failed);
  }

  /** Where the code cannot be had, `call` has failed, which the model is told. */
  #withTools(act: (calls: ToolCalls) => void, call?: ToolCall): void {
    const failed = { type: 'tool.result', call_id: call?.call_id ?? '', ok: false, error: 'The tool failed.' } as const;
    this.#fetched(
      ({ ToolCalls }) => {
        const { messages } = this;
        act((this.#calls ??= new ToolCalls({ ...this.#host, messages, session: this.#session, outbox: this.#outbox })));
      },
      () => call && this.#outbox.send(failed),
    );
  }

  #goingAway({ ends_in_ms, move }: GoingAway): void {
    this.#host.emitter.emit('goaway', { endsAt: Date.now() + ends_in_ms, move });
    if (!move) return;
    this.#mustMove = true;
    this.#moveTimer = setTimeout(this.#move, moveWithinMs(ends_in_ms));
    this.#showAgent();
  }

  /** Also uses a turn gap to move, when that was asked. */
  #showAgent(): void {
    const { store, sound } = this.#host;
    const isSpeaking = this.#playing || (this.#speaking && !sound.engine);
    const isThinking = this.#isAwaited || this.#speaking > this.#settled;
    store.set({ agent: isSpeaking ? 'speaking' : isThinking ? 'thinking' : 'listening' });
    if (this.#mustMove && !this.#speaking && !this.#isAwaited) this.#move();
  }
}
