import { type AudioFrame, decodeAudio, encodeAudio, renumber, uplinkMs } from './audio.js';
import { RemoteProtocolError } from './checks.js';
import { decodeMessage } from './codec.js';
import { advance, type ClientEvent, type ClientState } from './states.js';
import { IMAGE_MESSAGES, KEPT_AUDIO_MS, KEPT_MESSAGES, VERSIONS } from './tables.js';
import type { Activity, Context, Hello, Image, Live, ServerMessage, Text, ToolResult } from './wire.js';

export type Incoming = ServerMessage | AudioFrame;

/** Messages that are numbered, kept until they are acked, and said again after a break. */
export type Said = Activity | Context | Image | Text | ToolResult;

/** A microphone frame with its number, ready for the wire. */
export interface Numbered {
  seq: number;
  /** Time of recording, in ms of the caller's clock. */
  readonly at: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

type Kept = Numbered | (Said & { n: number });

/** Counts of what this end dropped, by reason. */
interface Counters {
  unknown_types: number;
  bad: number;
  duplicate_events: number;
  duplicate_frames: number;
  interrupted_frames: number;
  missing_frames: number;
  stale_uplink_ms: number;
}

/** Client's end of the media road, over any number of connections: messages and time in, messages out. No I/O, no clock. */
export class ClientSession {
  state: ClientState = 'new';
  /** [e, n] of the last event received. */
  after: [e: number, n: number] = [0, 0];
  lastTurn = 0;
  /** Audio of this turn and earlier is dropped. */
  interrupted = 0;
  /** The last `live` came from another relay than the one before. */
  isMoved = false;
  readonly counters: Counters = {
    unknown_types: 0,
    bad: 0,
    duplicate_events: 0,
    duplicate_frames: 0,
    interrupted_frames: 0,
    missing_frames: 0,
    stale_uplink_ms: 0,
  };
  #expectedSeq = 0; //: next audio frame of the agent
  #frameTurn = 0; //: turn of the last one
  #nextSeq = 0; //: of the microphone
  #nextN = 1; //: of messages
  #live?: Live; //: the last one
  #kept: Kept[] = []; //: until acked, the newest first

  /** The first message of a new media connection. */
  hello(): Hello {
    this.#advance('hello');
    return {
      type: 'hello',
      versions: VERSIONS,
      after: this.after,
      last_turn: this.lastTurn,
      next_seq: this.#expectedSeq,
      kept_seq: this.#kept.findLast(isFrame)?.seq,
    };
  }

  /** The server said so in its last `live`. */
  can(capability: string): boolean {
    return !!this.#live?.capabilities.includes(capability);
  }

  /** Record that the media connection is lost, in any state. */
  lost(): void {
    if (this.state === 'live' && !this.can('acks')) this.#kept = this.#kept.filter(isFrame); // the rest was said, once
    if (this.state !== 'new') this.#advance('lost');
  }

  /** Undo `ended` when it was the end of a relay's part only: the session can be resumed. */
  revive(): void {
    if (this.state === 'ended') this.state = 'broken';
  }

  /** Return what is new in one message; null for duplicates, audio of interrupted turns and what cannot be read. */
  receive(data: string | ArrayBuffer): Incoming | null {
    try {
      if (typeof data === 'string') return this.#receiveMessage(decodeMessage(data));
      return this.#receiveAudio(decodeAudio(data));
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      this.counters[error.code === 'unknown_type' ? 'unknown_types' : 'bad'] += 1;
      return null;
    }
  }

  /** Number a frame of microphone audio and remember it until it is of no more use. */
  audio(pcm: ArrayBuffer, at: number): Numbered {
    return this.#keep({ seq: this.#nextSeq, at, data: encodeAudio(0, this.#nextSeq++, pcm) });
  }

  /** Number a message and remember it until the server has answered it. To be sent only while live. */
  say(said: Said): Said {
    return this.#keep({ ...said, n: this.#nextN++ });
  }

  /** Return what to send again after `live`, in order: what the server lacks. */
  resend(): Kept[] {
    const { uplink_seq, message_n } = this.#live as Live;
    return this.#kept
      .filter((kept) => (isFrame(kept) ? kept.seq >= uplink_seq : kept.n > message_n))
      .reverse();
  }

  /** The user or the app stopped the agent: audio of `turn` and earlier is dropped from now on. */
  interrupt(turn: number): void {
    this.interrupted = Math.max(this.interrupted, turn);
  }

  #advance(event: ClientEvent): void {
    this.state = advance(this.state, event);
  }

  #receiveAudio(frame: AudioFrame): AudioFrame | null {
    if (frame.seq < this.#expectedSeq) {
      this.counters.duplicate_frames += 1;
      return null;
    }
    const gap = frame.seq - this.#expectedSeq;
    this.#expectedSeq = frame.seq + 1;
    if (frame.turn <= this.interrupted) {
      this.counters.interrupted_frames += 1;
      return null;
    }
    // Between turns a gap is what an interruption took out.
    if (frame.turn === this.#frameTurn) this.counters.missing_frames += gap;
    this.#frameTurn = frame.turn;
    return frame;
  }

  #receiveMessage(message: ServerMessage): ServerMessage | null {
    if (message.type === 'live') {
      // Out of place: unasked for, or from a relay that lost the session long ago.
      if (this.state !== 'joining' || message.e < this.after[0]) throw new RemoteProtocolError('bad_message');
      this.#goLive(message);
    } else if (message.type === 'ack') {
      this.#kept = this.#kept.filter((kept) => (isFrame(kept) ? kept.seq > message.seq : kept.n > message.message_n));
    } else if (message.n && !this.#isNew(message)) {
      this.counters.duplicate_events += 1;
      return null;
    }
    if (message.type === 'turn.interrupted') this.interrupt(message.turn);
    const begun = message.type === 'history' ? message.turns : message.type === 'turn.started' ? [message] : [];
    this.lastTurn = Math.max(this.lastTurn, ...begun.map(({ turn }) => turn));
    const isOver = message.type === 'error' && message.fatal && !message.retryable;
    if (isOver || message.type === 'ended') this.#advance('end'); // another fatal error ends the connection only
    return message;
  }

  #isNew({ e, n }: ServerMessage): boolean {
    const [lastE, lastN] = this.after;
    if (e < lastE || (e === lastE && n <= lastN)) return false;
    this.after = [e, n];
    return true;
  }

  #goLive(live: Live): void {
    this.#advance('live');
    const [epoch] = this.after;
    this.isMoved = epoch > 0 && live.e !== epoch;
    if (live.e !== epoch) {
      // Its events and frames count from their start.
      this.after = [live.e, 0];
      this.#expectedSeq = 0;
    }
    if (!this.#live) {
      // After a reload the server knows numbers that we do not: lower ones would be taken for duplicates.
      for (const kept of this.#kept)
        if (isFrame(kept)) renumber(kept.data, (kept.seq += live.uplink_seq));
        else kept.n += live.message_n;
      this.#nextSeq += live.uplink_seq;
      this.#nextN += live.message_n;
    }
    this.#live = live;
  }

  /** Beyond the bounds the oldest goes: a server that acks none for so long has it, or is gone. */
  #keep<T extends Kept>(newest: T): T {
    let messages = KEPT_MESSAGES;
    let audioMs = KEPT_AUDIO_MS;
    this.#kept = [newest, ...this.#kept].filter((kept) => {
      if (!isFrame(kept)) return (messages -= kept.type === 'image' ? IMAGE_MESSAGES : 1) >= 0;
      const ms = uplinkMs(kept.data);
      if ((audioMs -= ms) < 0 && this.state !== 'live') this.counters.stale_uplink_ms += ms;
      return audioMs >= 0;
    });
    return newest;
  }
}

function isFrame(kept: Kept): kept is Numbered {
  return 'seq' in kept;
}
