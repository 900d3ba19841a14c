import { encodeAudio } from '../protocol/audio.js';
import { type FakeSocket, FakeTransport } from './transport.js';

type Fields = Readonly<Record<string, unknown>>;
type Entry =
  | { readonly n: number; readonly event: Fields }
  | { readonly seq: number; readonly frame: Uint8Array<ArrayBuffer> };

const PCM_BYTES_PER_MS = 48; //: 24 kHz, 16 bit

/** A server of one session, without a network or a model: it answers both roads and replays what a break lost. */
export class FakeServer {
  readonly transport = new FakeTransport();
  session = 's1';
  /** What `live` says that it can. */
  capabilities: readonly string[] = ['text', 'context', 'image', 'interrupt', 'tools', 'resume', 'acks', 'adpcm'];
  /** Subprotocol entries that `ready` asks for besides. */
  protocols: readonly string[] = [];
  /** Rises when `moveRelay` is called. */
  epoch = 1;
  /** Stages told before `ready`. */
  stages: readonly string[] = ['admitted'];
  /** Answers to the next control requests instead of `ready`: fields of an error; without `code` as they are, as API Gateway’s. */
  readonly controlErrors: Fields[] = [];
  /** Answers to the next `hello`s instead of `live`, with the close code that follows. */
  readonly mediaErrors: { readonly error: Fields; readonly close: number }[] = [];
  /** Handshakes to refuse from now on, by road. */
  readonly refuses = { control: 0, media: 0 };
  /** JSON messages of the media road, all connections; what has a number once, as a relay takes it. */
  readonly heard: Fields[] = [];
  /** JSON messages of the control road. */
  readonly requests: Fields[] = [];
  /** Microphone frames by number: those a server hands on, again when a relay before it had not settled them. */
  readonly uplink: number[] = [];
  readonly #frames = { taken: -1, acked: -1 }; //: the last one that this relay has, and that no relay will want
  #taken = 0; //: the last message with a number
  #acked = 0; //: the last message that has its answer in the record
  #journal: Entry[] = [];
  #n = 0;
  #seq = 0;
  #replies = 0;
  #request: unknown; //: of the present session
  #media: FakeSocket | null = null;

  constructor() {
    this.transport.onOpen = (socket) => this.#serve(socket);
  }

  /** Say an event; it is kept for replay. */
  say(event: Fields): void {
    this.#n += 1;
    const entry = { n: this.#n, event: { ...event, e: this.epoch, n: this.#n } };
    this.#journal.push(entry);
    this.#media?.receive(entry.event);
  }

  /** The agent's voice: one frame of `ms`, kept for replay. */
  speak(turn: number, ms: number): void {
    const entry = { seq: this.#seq, frame: encodeAudio(turn, this.#seq, new ArrayBuffer(ms * PCM_BYTES_PER_MS)) };
    this.#seq += 1;
    this.#journal.push(entry);
    this.#media?.receive(entry.frame.buffer);
  }

  /** An answer: no number, never replayed. */
  answer(message: Fields): void {
    this.#media?.receive({ ...message, e: this.epoch });
  }

  /** What has come so far need not be kept by the client: it is answered in the record. */
  ack(): void {
    this.#acked = this.#taken;
    this.#frames.acked = this.#frames.taken;
    this.answer({ type: 'ack', seq: this.#frames.acked, message_n: this.#acked });
  }

  cutMedia(code = 1006): void {
    const media = this.#media;
    this.#media = null;
    media?.cut(code);
  }

  cutControl(): void {
    for (const socket of this.transport.openOn('control')) socket.cut();
  }

  /** Replace the relay: another one has the session, and knows what is answered. */
  moveRelay(): void {
    this.epoch += 1;
    this.#taken = this.#acked;
    this.#frames.taken = this.#frames.acked;
    this.#journal = [];
    this.#n = 0;
    this.#seq = 0;
  }

  #serve(socket: FakeSocket): void {
    if (this.refuses[socket.road] > 0) {
      this.refuses[socket.road] -= 1;
      socket.cut();
      return;
    }
    socket.onSend = (item) => {
      if (item instanceof Uint8Array) this.#take(item);
      else if (socket.road === 'control') this.#answerControl(socket, item);
      else this.#answerMedia(socket, item);
    };
    socket.accept();
  }

  #answerControl(socket: FakeSocket, request: Fields): void {
    this.requests.push(request);
    const error = this.controlErrors.shift();
    if (error) socket.receive('code' in error ? { type: 'error', message: '!', fatal: true, ...error } : error);
    else if (request.type === 'end') socket.receive({ type: 'ended', session: this.session, i: this.#i() });
    else this.#admit(socket, request);
  }

  #admit(socket: FakeSocket, request: Fields): void {
    if (request.type === 'start' && request.request !== this.#request) this.#begin(request.request);
    const common = { session: this.session, resume_key: `key-${this.#replies}-0123456789abcdef` };
    if (request.type === 'start')
      for (const stage of this.stages)
        socket.receive({ type: 'starting', ...common, stage, eta_ms: 9000, i: this.#i() });
    const media = { url: 'wss://media.test/r', ticket: `ticket${this.#replies}`, expires_at: 0, protocols: this.protocols };
    socket.receive({
      type: 'ready',
      ...common,
      media,
      limits: { session_ms: 1_800_000, resume_ms: 120_000 },
      i: this.#i(),
    });
  }

  #answerMedia(socket: FakeSocket, message: Fields): void {
    if (Number(message.n) <= this.#taken) return;
    this.#taken = Number(message.n ?? this.#taken);
    this.heard.push(message);
    if (message.type === 'hello') this.#greet(socket, message);
    if (message.type === 'ping') this.answer({ type: 'pong', t: message.t, server_ms: Math.round(performance.now()) });
    if (message.type === 'end') {
      this.say({ type: 'ended', reason: 'client' });
      this.cutMedia(1000);
    }
  }

  #greet(socket: FakeSocket, hello: Fields): void {
    const refusal = this.mediaErrors.shift();
    if (refusal) {
      socket.receive({ type: 'error', message: '!', fatal: true, e: this.epoch, ...refusal.error });
      socket.cut(refusal.close);
      return;
    }
    this.#media?.cut(4409);
    this.#media = socket;
    const [e, n] = hello.after as [number, number];
    const isSame = e === this.epoch;
    const missed = this.#journal.filter((entry) =>
      'n' in entry ? !isSame || entry.n > n : !isSame || entry.seq >= (hello.next_seq as number),
    );
    const first = missed.find((entry) => 'n' in entry);
    socket.receive({
      type: 'live',
      session: this.session,
      version: 1,
      agent: { name: 'assistant' },
      capabilities: this.capabilities,
      limits: { ends_in_ms: 1_800_000, resume_ms: 120_000 },
      resumed: this.#journal.length > 0,
      replay_from: first && 'n' in first ? first.n : 0,
      uplink_seq: this.#frames.taken + 1,
      message_n: this.#taken,
      e: this.epoch,
    });
    for (const entry of missed) socket.receive('n' in entry ? entry.event : entry.frame.buffer);
  }

  /** Another session than the last one. */
  #begin(request: unknown): void {
    if (this.#request !== undefined) {
      this.moveRelay();
      this.epoch = 1;
      this.uplink.length = 0;
      this.#taken = this.#acked = 0;
      this.#frames.taken = this.#frames.acked = -1;
      this.session = `s${Number(this.session.slice(1)) + 1}`;
    }
    this.#request = request;
  }

  /** Keep a frame, unless its number is not higher than all before it, as the protocol says. */
  #take(frame: Uint8Array<ArrayBuffer>): void {
    const seq = new DataView(frame.buffer).getUint32(4);
    if (seq <= this.#frames.taken) return;
    this.#frames.taken = seq;
    this.uplink.push(seq);
  }

  #i(): number {
    this.#replies += 1;
    return this.#replies;
  }
}
