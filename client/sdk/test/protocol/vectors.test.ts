import { describe, expect, test } from 'vitest';
import { received, VoiceError } from '../../src/errors.js';
import { AdpcmEncoder } from '../../src/protocol/adpcm.js';
import { whole } from '../../src/ondemand/whole.js';
import { decodeAudio, encodeAudio } from '../../src/protocol/audio.js';
import { RemoteProtocolError } from '../../src/protocol/checks.js';
import { decodeMessage, decodeReply } from '../../src/protocol/codec.js';
import { offer } from '../../src/protocol/credentials.js';
import { TokenBucket } from '../../src/protocol/pace.js';
import { UplinkDelay } from '../../src/protocol/uplink-delay.js';
import { UplinkForm } from '../../src/protocol/uplink-form.js';
import { advance, CLIENT, type ClientEvent, type ClientState } from '../../src/protocol/states.js';
import { moveWithinMs, Reconnect, type Step } from '../../src/roads/reconnect.js';
import { bytes, type Case, cases, expand, hex, onlyKnown, textOf } from './vectors.js';

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof RemoteProtocolError || error instanceof VoiceError) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('codec', () => {
  const readable: Record<string, (text: string) => object> = {
    control_reply: decodeReply,
    server_message: (text) => {
      const message = whole(decodeMessage(text));
      if (!message) throw new RemoteProtocolError('bad_message');
      return message;
    },
  };
  const ours = cases('codec').filter((entry) => (entry.direction as string) in readable);

  test('both reading directions have cases', () => {
    const directions = new Set(cases('codec').map((entry) => entry.direction));
    expect(directions).toEqual(new Set(['control_reply', 'server_message', 'control_request', 'client_message']));
    expect(ours.length).toBeGreaterThan(30);
  });

  test.each(ours.map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
    onlyKnown(entry, ['name', 'direction', 'text', 'decoded', 'defaults', 'error', 'ref']);
    const decode = readable[entry.direction as string] as (text: string) => object;
    const text = textOf(entry.text);
    if (entry.error) {
      // A client need only tell the two apart.
      expect(codeOf(() => decode(text))).toBe(entry.error === 'unknown_type' ? 'unknown_type' : 'bad_message');
      return;
    }
    const decoded = decode(text);
    expect(decoded).toMatchObject({ ...(entry.decoded as object), ...(entry.defaults as object) });
    expect(decode(JSON.stringify(decoded))).toEqual(decoded);
  });
});

describe('audio', () => {
  const down = cases('audio').filter((entry) => entry.direction === 'down');
  const up = cases('audio').filter((entry) => entry.direction === 'up' && entry.canonical);

  test.each(down.map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
    onlyKnown(entry, ['name', 'direction', 'hex', 'turn', 'seq', 'pcm', 'canonical', 'error']);
    if (entry.error) {
      expect(codeOf(() => decodeAudio(bytes(entry.hex)))).toBe(entry.error);
      return;
    }
    const { turn, seq, pcm } = decodeAudio(bytes(entry.hex));
    expect({ turn, seq, pcm: hex(pcm) }).toEqual({ turn: entry.turn, seq: entry.seq, pcm: expand(entry.pcm) });
    if (entry.canonical) expect(hex(encodeAudio(turn, seq, pcm))).toBe(expand(entry.hex));
  });

  test.each(up.map((entry) => [entry.name, entry] as const))('is written: %s', (_, entry) => {
    const frame = encodeAudio(entry.turn as number, entry.seq as number, bytes(entry.pcm));
    expect(hex(frame)).toBe(expand(entry.hex));
  });
});

describe('adpcm', () => {
  type Block = { pcm: unknown; block: unknown };
  const written = cases('adpcm').filter(({ blocks }) => (blocks as Block[]).every((block) => 'pcm' in block)); // others are for readers

  test('most cases are for writers', () => expect(written.length).toBeGreaterThan(4));

  test.each(written.map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
    onlyKnown(entry, ['name', 'blocks']);
    const encoder = new AdpcmEncoder();
    for (const one of entry.blocks as Block[]) {
      onlyKnown(one, ['pcm', 'block', 'heard']);
      expect(hex(encoder.block(new DataView(bytes(one.pcm))))).toBe(expand(one.block));
    }
  });
});

describe('credentials', () => {
  const offers = cases('credentials').filter((entry) => entry.do === 'offer');

  test.each(offers.map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
    onlyKnown(entry, ['name', 'do', 'kind', 'secret', 'besides', 'offer', 'error']);
    const make = () => offer(entry.kind as 'jwt', expand(entry.secret), entry.besides as string[] | undefined);
    if (entry.error) expect(codeOf(make)).toBe(entry.error);
    else expect(make()).toEqual((entry.offer as unknown[]).map(expand));
  });
});

describe('states', () => {
  const pairs = cases('states').filter((entry) => entry.table === 'client');

  test('every pair of the table is there', () => {
    const moves = Object.values(CLIENT).reduce((sum, row) => sum + Object.keys(row).length, 0);
    expect(pairs.filter((entry) => entry.next !== null)).toHaveLength(moves);
  });

  test.each(pairs.map((entry) => [entry.name, entry] as const))('%s', (_, entry: Case) => {
    const move = () => advance(entry.state as ClientState, entry.event as ClientEvent);
    if (entry.next === null) expect(move).toThrow('out_of_order');
    else expect(move()).toBe(entry.next);
  });
});

describe('pace', () => {
  type Step = { at: number; amount: number; gives: boolean; wait_s?: number };

  test.each(cases('pace').map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
    onlyKnown(entry, ['name', 'rate_per_s', 'burst', 'steps']);
    const bucket = new TokenBucket(entry.rate_per_s as number, entry.burst as number);
    for (const step of entry.steps as Step[]) {
      onlyKnown(step, ['at', 'amount', 'gives', 'wait_s']);
      const now = step.at * 1000;
      const waitMs = bucket.take(now, step.amount);
      expect(waitMs === 0).toBe(step.gives);
      if (step.wait_s !== undefined) expect(waitMs).toBe(step.wait_s * 1000);
    }
  });
});

describe('uplink delay', () => {
  type Given = { do: string; at: number; length_s: number; sent_at: number; server_s: number } & Record<string, unknown>;

  test.each(cases('uplink_delay').map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
    onlyKnown(entry, ['name', 'steps']);
    let delay = new UplinkDelay();
    const act: Record<string, (step: Given) => void> = {
      connected: () => {
        delay = new UplinkDelay();
      },
      frame: ({ at, length_s, ping }) => expect(delay.frame(length_s * 1000, at * 1000)).toBe(ping),
      pong: (step) => delay.answered(step.sent_at * 1000, step.server_s * 1000, step.at * 1000),
      look: () => {},
    };
    for (const step of entry.steps as Given[]) {
      act[step.do]?.(step);
      const found = { delay_s: delay.ms / 1000, full: delay.isFull };
      onlyKnown(step, ['at', 'length_s', 'ping', 'sent_at', 'server_s', ...Object.keys(found), ...(act[step.do] ? ['do'] : [])]);
      expect({ ...found, ...step }).toEqual({ ...step, ...found });
    }
  });
});

describe('uplink form', () => {
  type Given = { do: string; at: number; possible?: boolean };

  test.each(cases('uplink_form').map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
    onlyKnown(entry, ['name', 'steps']);
    const form = new UplinkForm();
    const act: Record<string, (at: number, step: Given) => void> = {
      dropped: (at, { possible = true }) => form.dropped(at, possible),
      held: (at) => form.held(at),
      look: () => {},
    };
    for (const step of entry.steps as Given[]) {
      const at = step.at * 1000;
      act[step.do]?.(at, step);
      const found = { adpcm: form.isAdpcm(at), narrow: at < form.narrowUntil };
      onlyKnown(step, ['at', 'possible', ...Object.keys(found), ...(act[step.do] ? ['do'] : [])]);
      expect({ ...found, ...step }).toEqual({ ...step, ...found });
    }
  });
});

describe('reconnect', () => {
  type Failure = { code: string; retryable: boolean; retry_after_ms?: number };
  type Given = {
    do: string;
    at: number;
    resume_ms: number;
    ends_in_ms: number;
    status: number | null;
    timeout?: boolean;
    ticket_s: number;
    live_s: number | null;
    close: number;
    ended?: boolean;
    error?: Failure;
    gives: object | undefined;
  } & Failure;
  const LISTED: Record<string, readonly string[]> = {
    start: ['at'],
    restore: ['at'],
    starting: [],
    ready: ['resume_ms'],
    failed: ['at', 'code', 'retryable', 'retry_after_ms'],
    refused: ['at', 'status'],
    unreachable: ['at', 'status', 'timeout', 'ticket_s'],
    closed: ['at', 'live_s', 'close', 'ended', 'error'],
    going_away: ['ends_in_ms'],
    move: ['at'],
  };
  const refusal = (failure: Failure) =>
    ({ type: 'error', message: '', fatal: true, ref: '', e: 1, n: 0, retry_after_ms: 0, ...failure }) as const;

  /** A browser cannot read a status: of a case with one, only what goes before it is played. */
  const isReadable = ({ status }: Given) => typeof status !== 'number';

  /** As reconnect.json has it: without the fields that have their default. */
  function told({ do: next, error, mediaFailed, refresh, waitMs = 0, jitterMs = 0 }: Step): object {
    return {
      do: next,
      ...(error && { code: error.code }),
      ...(mediaFailed && { media_failed: true }),
      ...(refresh && { refresh: true }),
      ...(jitterMs && { wait_ms: [waitMs, waitMs + jitterMs] }),
    };
  }

  function play(policy: Reconnect, step: Given, isAdmitted: boolean): Step | object | undefined {
    const at = step.at * 1000;
    const closed = { code: step.close, refusal: null, isReached: true, liveMs: -1, ticketMs: 0 };
    switch (step.do) {
      case 'start':
        return policy.begin('start', at);
      case 'restore':
        return policy.begin('resume', at);
      case 'ready':
        return policy.ready(step.resume_ms);
      case 'failed':
        return policy.failed(received(refusal(step)), isAdmitted, at);
      case 'unreachable':
        return policy.closed(
          { ...closed, code: step.timeout ? 0 : 1006, isReached: false, ticketMs: step.ticket_s * 1000 },
          false,
          at,
        );
      case 'closed': {
        const liveMs = step.live_s === null ? -1 : step.live_s * 1000;
        return policy.closed(
          { ...closed, liveMs, refusal: step.error ? refusal(step.error) : null },
          !!step.ended,
          at,
        );
      }
      case 'move':
        return policy.move();
      case 'going_away':
        return { do: 'move', within_ms: moveWithinMs(step.ends_in_ms) };
      default:
        return undefined;
    }
  }

  test.each(cases('reconnect').map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
    onlyKnown(entry, ['name', 'steps']);
    const policy = new Reconnect({});
    const steps = entry.steps as Given[];
    const until = steps.findIndex((step) => !isReadable(step));
    let isAdmitted = steps[0]?.do === 'restore';
    for (const step of until < 0 ? steps : steps.slice(0, until)) {
      onlyKnown(step, ['do', 'gives', ...(LISTED[step.do] ?? [])]);
      expect(step.do in LISTED).toBe(true);
      isAdmitted ||= step.do === 'starting' || step.do === 'ready';
      const given = play(policy, step, isAdmitted);
      expect(given && 'within_ms' in given ? given : given && told(given as Step)).toEqual(step.gives);
    }
  });
});
