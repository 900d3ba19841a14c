import type { ConnectionStatus, Json, Metrics, Quality, VoiceClient, WireFrame } from 'vivavoce';

export type Kind = 'connection' | 'turns' | 'audio' | 'tools' | 'figures';
export const KINDS: readonly Kind[] = ['connection', 'turns', 'tools', 'audio', 'figures'];

/** One line of the event log. Audio frames of a second share one, and so do the pieces of a transcript. */
export interface Entry {
  readonly id: number;
  readonly at: number;
  readonly kind: Kind;
  readonly direction: 'in' | 'out' | 'here';
  readonly type: string;
  readonly detail: string;
  readonly json?: Json;
}

/** Latency of one answer, by stage. `responseMs` is measured here, `firstAudioMs` at the relay. */
export interface Timing {
  readonly responseMs: number;
  readonly firstAudioMs: number;
  readonly rttMs?: number | undefined;
}

/** A remark of the page's own between two messages. */
export interface Note {
  readonly id: string;
  readonly at: number;
  readonly text: string;
}

/** Share of a turn's audio that was played, 0 to 1: by time, of what has arrived. */
export interface Playing {
  readonly turn: number;
  readonly share: number;
}

/** Effects of one break so far. */
export interface Recovery {
  readonly what: string;
  readonly startedAt: number;
  readonly state: 'broken' | 'back' | 'lost' | 'unharmed';
  readonly gapMs?: number;
  /** of the relay that was lost */
  readonly epoch: number;
  /** why nothing was felt */
  readonly why?: string;
}

/** Losses and duplicates, by the events' positions alone. */
export interface Ledger {
  readonly events: number;
  readonly missing: number;
  readonly repeated: number;
}

export interface View {
  readonly entries: readonly Entry[];
  readonly timings: readonly Timing[];
  readonly notes: readonly Note[];
  readonly playing?: Playing | undefined;
  readonly recovery?: Recovery | undefined;
  readonly ledger: Ledger;
  /** of the relay that has the call; 0 before there is one */
  readonly epoch: number;
  readonly frames: { readonly up: number; readonly down: number };
}

const KEPT = 500; //: entries; older ones fall out
const PROBES: ReadonlySet<string> = new Set(['ping', 'pong']);
const PROBE_LINE_MS = 5000;
const REFRESH_MS = 100; //: the view changes at most this often

const ENDED: ReadonlySet<ConnectionStatus> = new Set(['idle', 'closed', 'failed']);

type Message = { readonly [key: string]: Json };

/** Watches one client and keeps what the instruments show. Never renders by itself. */
export class Observatory {
  #entries: Entry[] = [];
  #timings: Timing[] = [];
  #notes: Note[] = [];
  #playing: Playing | undefined;
  #recovery: Recovery | undefined;
  #position: readonly [number, number] = [0, 0];
  #ledger: Ledger = { events: 0, missing: 0, repeated: 0 };
  #epoch = 0;
  #frames = { up: 0, down: 0 };
  #count = 0;
  #view: View;
  #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #clock: () => number;

  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
    this.#view = this.#draw();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): View => this.#view;

  /** Starts watching; returns what ends it. */
  watch(client: VoiceClient): () => void {
    const ears = [
      client.on('wire', (direction, _road, frame) => this.#take(direction, frame)),
      client.on('reconnecting', (info) => this.#breaks(info.error.code)),
      client.on('reconnected', (info) => this.#heals(info)),
      client.on('quality', (info) => this.#narrows(info)),
      client.on('budget', (info) => this.#runsOut(info)),
      client.on('interrupted', (info) => this.#enter('turns', 'here', 'silent', `${Math.round(info.playedMs)} ms heard`)),
      client.on('close', (reason) => this.#closes(reason.by)),
      client.on('statechange', ({ metrics, status }, previous) => {
        if (status === 'connecting' && ENDED.has(previous.status)) this.#begins();
        this.#times(metrics, previous.metrics);
      }),
    ];
    return () => ears.forEach((stop) => stop());
  }

  /** The person is about to break something; what comes back is measured against this moment. */
  expectBreak(what: string): void {
    this.#recovery = { what, startedAt: this.#clock(), state: 'broken', epoch: this.#epoch };
    this.#enter('connection', 'here', 'cut', what);
  }

  /** Record a cut that harms nothing, because the connection was not in use. */
  noteHarmless(what: string, why: string): void {
    this.#recovery = { what, startedAt: this.#clock(), state: 'unharmed', epoch: this.#epoch, why };
    this.#enter('connection', 'here', 'cut', what);
  }

  clearLog(): void {
    this.#entries = [];
    this.#changed();
  }

  /** A new session counts its events anew. The log and the response times of earlier calls stay. */
  #begins(): void {
    this.#position = [0, 0];
    this.#epoch = 0;
    this.#ledger = { events: 0, missing: 0, repeated: 0 };
    this.#frames = { up: 0, down: 0 };
    this.#notes = [];
    this.#playing = undefined;
    this.#recovery = undefined;
    this.#changed();
  }

  #take(direction: 'in' | 'out', frame: WireFrame): void {
    if (isBinary(frame)) {
      this.#frame(direction, frame.binary);
      return;
    }
    const message = frame as Message;
    const type = String(message.type ?? '?');
    if (direction === 'in' && Number(message.n ?? 0) > 0) this.#counts(Number(message.e), Number(message.n));
    if (type === 'live') this.#epoch = Number(message.e);
    if (direction === 'out' && type === 'playback') this.#plays(message);
    if (type === 'transcript' && this.#goesOn(message)) return;
    if (PROBES.has(type) && this.#isShown(direction, type)) return;
    if (type === 'metrics' && typeof message.leg_gap_ms === 'number') this.#changesOver(message.leg_gap_ms);
    this.#enter(kindOf(type), direction, type, summary(type, message), message);
  }

  /** Adds a piece of a transcript to the line that it belongs to. False: it begins one. */
  #goesOn(piece: Message): boolean {
    const index = this.#entries.findLastIndex(({ json }) => isTranscript(json) && json.message === piece.message);
    const entry = this.#entries[index];
    if (!entry) return false;
    const begun = entry.json as Message;
    const before = piece.whole === true ? '' : String(begun.text);
    const json = { ...piece, text: before + String(piece.text), pieces: Number(begun.pieces ?? 1) + 1 };
    this.#entries[index] = { ...entry, json, detail: summary('transcript', json) };
    this.#changed();
    return true;
  }

  /** The relay has put another connection to the model under the call. */
  #changesOver(gapMs: number): void {
    if (this.#recovery?.state === 'unharmed') this.#recovery = { ...this.#recovery, why: `the relay changed over in ${seconds(gapMs)}` };
  }

  #plays({ turn, played_ms, buffered_ms, state }: Message): void {
    const [played, waiting] = [Number(played_ms ?? 0), Number(buffered_ms ?? 0)];
    const share = state === 'drained' ? 1 : played / Math.max(1, played + waiting);
    this.#playing = { turn: Number(turn), share };
  }

  #counts(e: number, n: number): void {
    const [lastE, lastN] = this.#position;
    const { events, missing, repeated } = this.#ledger;
    if (e < lastE || (e === lastE && n <= lastN)) {
      this.#ledger = { events, missing, repeated: repeated + 1 };
      return;
    }
    const gap = n - (e === lastE ? lastN : 0) - 1;
    this.#ledger = { events: events + 1, missing: missing + (lastE === 0 ? 0 : gap), repeated };
    this.#position = [e, n];
  }

  #frame(direction: 'in' | 'out', bytes: number): void {
    this.#frames[direction === 'in' ? 'down' : 'up'] += 1;
    const at = this.#clock();
    const index = this.#entries.findLastIndex((entry) => entry.type === 'audio' && entry.direction === direction);
    const last = this.#entries[index];
    if (last && at - last.at < 1000) {
      const held = last.json as { frames: number; bytes: number };
      const json = { frames: held.frames + 1, bytes: held.bytes + bytes };
      this.#entries[index] = { ...last, json, detail: audioDetail(json) };
      this.#changed();
      return;
    }
    const json = { frames: 1, bytes };
    this.#enter('audio', direction, 'audio', audioDetail(json), json);
  }

  /** The server's figures come once for each answer; with them the client knows its own. */
  #times({ responseMs, rttMs, server }: Metrics, before: Metrics): void {
    if (responseMs === undefined || !server?.firstAudioMs || server === before.server) return;
    this.#timings.push({ responseMs, firstAudioMs: server.firstAudioMs, rttMs });
    this.#changed();
  }

  #breaks(code: string): void {
    if (this.#recovery?.state !== 'broken') {
      this.#recovery = { what: 'Connection lost', startedAt: this.#clock(), state: 'broken', epoch: this.#epoch };
    }
    this.#enter('connection', 'here', 'reconnecting', code);
  }

  #heals(info: { gapMs: number }): void {
    const recovery = this.#recovery ?? { what: 'Moved', startedAt: this.#clock() - info.gapMs, epoch: this.#epoch };
    const gapMs = this.#clock() - recovery.startedAt;
    this.#recovery = { ...recovery, state: 'back', gapMs };
    const text = `Connection lost, back after ${seconds(gapMs)}`;
    this.#notes.push({ id: `note-${this.#count}`, at: this.#clock(), text });
    this.#enter('connection', 'here', 'reconnected', `${Math.round(gapMs)} ms`);
  }

  #narrows({ quality, uplinkDelayMs }: { quality: Quality; uplinkDelayMs: number }): void {
    const isNarrow = quality === 'narrow';
    this.#notes.push({ id: `note-${this.#count}`, at: this.#clock(), text: isNarrow ? 'The line up is too narrow: you are heard less well, and with gaps' : 'The line up is wide again' });
    this.#enter('connection', 'here', quality, `${uplinkDelayMs} ms late`);
  }

  /** The agent will say goodbye before the budget is passed. */
  #runsOut({ scope, usedPercent }: { scope: string; usedPercent: number }): void {
    const whose = scope === 'session' ? 'this conversation’s' : scope === 'user' ? 'today’s' : 'the deployment’s';
    const text = `${usedPercent} % of ${whose} budget is used up`;
    this.#notes.push({ id: `note-${this.#count}`, at: this.#clock(), text });
    this.#enter('connection', 'here', 'budget', text);
  }

  /** Probes pass several times a second; a line in five seconds says so. */
  #isShown(direction: Entry['direction'], type: string): boolean {
    const since = this.#clock() - PROBE_LINE_MS;
    return this.#entries.some((entry) => entry.type === type && entry.direction === direction && entry.at > since);
  }

  #closes(by: string): void {
    if (this.#recovery?.state === 'broken') this.#recovery = { ...this.#recovery, state: 'lost' };
    this.#enter('connection', 'here', 'closed', `by the ${by}`);
  }

  #enter(kind: Kind, direction: Entry['direction'], type: string, detail: string, json?: Json): void {
    this.#count += 1;
    const entry = { id: this.#count, at: this.#clock(), kind, direction, type, detail };
    this.#entries.push(json === undefined ? entry : { ...entry, json });
    if (this.#entries.length > KEPT) this.#entries.splice(0, this.#entries.length - KEPT);
    this.#changed();
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#view = this.#draw();
      for (const listener of this.#listeners) listener();
    }, REFRESH_MS);
  }

  #draw(): View {
    return {
      entries: [...this.#entries],
      timings: [...this.#timings],
      notes: [...this.#notes],
      playing: this.#playing,
      recovery: this.#recovery,
      ledger: this.#ledger,
      epoch: this.#epoch,
      frames: { ...this.#frames },
    };
  }
}

/** The value below which this share of the timings lies (nearest rank). */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms / 1000)} s`;
}

function isBinary(frame: WireFrame): frame is { readonly binary: number } {
  return typeof frame === 'object' && frame !== null && 'binary' in frame && !('type' in frame);
}

function isTranscript(json: Json | undefined): json is Message {
  return typeof json === 'object' && json !== null && 'type' in json && json.type === 'transcript';
}

function kindOf(type: string): Kind {
  if (type.startsWith('turn.') || ['transcript', 'text', 'context', 'interrupt', 'activity'].includes(type)) return 'turns';
  if (type.startsWith('tool.')) return 'tools';
  if (['playback', 'mic', 'ack', 'image'].includes(type)) return 'audio';
  if (['usage', 'metrics', 'ping', 'pong'].includes(type)) return 'figures';
  return 'connection';
}

function audioDetail(held: { frames: number; bytes: number }): string {
  return `${held.frames} frames, ${(held.bytes / 1000).toFixed(1)} kB`;
}

const SHOWN = ['stage', 'role', 'turn', 'text', 'state', 'cause', 'played_ms', 'name', 'code', 'ref', 'seq', 'reason', 'first_audio_ms'];

function summary(type: string, message: Message): string {
  if (type === 'usage') return `${(message.tokens as Message | undefined)?.total ?? 0} tokens`;
  const parts = SHOWN.filter((key) => message[key] !== undefined && message[key] !== '').map((key) => {
    const value = message[key];
    if (key === 'turn') return `#${String(value)}`;
    if (key === 'text') return `“${String(value).trim()}”`;
    return key.endsWith('_ms') ? `${String(value)} ms` : String(value);
  });
  return parts.join(' · ');
}
