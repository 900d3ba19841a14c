import { vi } from 'vitest';

/** A node of the graph; the sound goes from `connect` to `connect`. */
class Node extends EventTarget {
  readonly gain = { value: 1 };
  readonly targets = new Set<Node>();
  readonly context: unknown;

  constructor(context: unknown) {
    super();
    this.context = context;
  }

  connect(target: Node): void {
    this.targets.add(target);
  }

  disconnect(target?: Node): void {
    if (target) this.targets.delete(target);
    else this.targets.clear();
  }
}

class Track extends EventTarget {
  readyState: 'live' | 'ended' = 'live';
  onended: (() => void) | null = null;
  onmute: (() => void) | null = null;
  onunmute: (() => void) | null = null;
  /** What records it, while anything does. */
  worklet: Worklet | null = null;
  readonly deviceId: string;

  constructor(deviceId: string) {
    super();
    this.deviceId = deviceId;
  }

  get label(): string {
    return this.deviceId;
  }

  getSettings(): { deviceId: string } {
    return { deviceId: this.deviceId };
  }

  stop(): void {
    this.readyState = 'ended';
  }
}

class Worklet extends Node {
  readonly port = { onmessage: null as ((event: { data: unknown }) => void) | null, postMessage: () => {} };
}

/**
 * The devices of a computer, its one user who may say no, and a browser's audio on it: as much of each as the client's
 * own engine uses. `install` puts it in the place of the globals, `vi.unstubAllGlobals` takes it away.
 */
export class Machine {
  inputs = ['built-in'];
  outputs = ['loudspeaker'];
  isAllowed = true;
  /** A browser that sends a context to a device, one that sends elements only, or one that does neither. */
  sinks: 'context' | 'element' | 'none' = 'context';
  /** Where the sound was sent last; empty: to the system's choice. */
  sink = '';
  #tracks: Track[] = [];
  #player: Worklet | null = null;
  readonly #media = new EventTarget();

  install(): void {
    vi.stubGlobal('AudioContext', this.#contexts());
    vi.stubGlobal('AudioWorkletNode', this.#worklets());
    vi.stubGlobal('__WORKLETS__', '');
    vi.stubGlobal('document', Object.assign(new EventTarget(), { hidden: false }));
    vi.stubGlobal('isSecureContext', true);
    vi.stubGlobal('Audio', this.#elements());
    const mediaDevices = Object.assign(this.#media, {
      enumerateDevices: async () => [...this.#list('audioinput', this.inputs), ...this.#list('audiooutput', this.outputs)],
      getUserMedia: async ({ audio }: { audio: { deviceId?: { exact: string } } }) => this.#open(audio.deviceId?.exact),
    });
    vi.stubGlobal('navigator', { mediaDevices, userAgent: 'a test', maxTouchPoints: 0 });
  }

  /** The microphone that is open. */
  get using(): string | undefined {
    return this.#live?.deviceId;
  }

  /** Somebody speaks into all microphones of the machine. */
  speak(ms: number): void {
    for (let at = 0; at < ms; at += 20) {
      const pcm = new Int16Array(320).fill(1).buffer;
      this.#live?.worklet?.port.onmessage?.({ data: { pcm, level: 0.5 } });
    }
  }

  /** The loudspeaker begins to sound. */
  play(turn: number): void {
    this.#player?.port.onmessage?.({ data: { type: 'started', turn, playedMs: 0, bufferedMs: 100 } });
  }

  unplug(deviceId: string): void {
    this.inputs = this.inputs.filter((input) => input !== deviceId);
    this.outputs = this.outputs.filter((output) => output !== deviceId);
    for (const track of this.#tracks) if (track.deviceId === deviceId) this.#end(track);
    this.#changed();
  }

  plug(deviceId: string): void {
    this.inputs.push(deviceId);
    this.#changed();
  }

  /** Another device is the system's choice from now on; open ones stay as they are. */
  chooseDefault(deviceId: string): void {
    this.inputs = [deviceId, ...this.inputs.filter((input) => input !== deviceId)];
    this.#changed();
  }

  /** The user takes the permission back: every open microphone ends. */
  revoke(): void {
    this.isAllowed = false;
    for (const track of this.#tracks) this.#end(track);
  }

  get #live(): Track | undefined {
    return this.#tracks.findLast(({ readyState }) => readyState === 'live');
  }

  #end(track: Track): void {
    if (track.readyState === 'ended') return;
    track.readyState = 'ended';
    queueMicrotask(() => track.onended?.());
  }

  #changed(): void {
    this.#media.dispatchEvent(new Event('devicechange'));
  }

  #list(kind: string, ids: readonly string[]): object[] {
    return ids.map((deviceId) => ({ kind, deviceId, label: this.isAllowed ? deviceId : '' }));
  }

  #open(wish?: string): object {
    if (!this.isAllowed) throw Object.assign(new Error('no'), { name: 'NotAllowedError' });
    const deviceId = wish ?? this.inputs[0];
    if (!deviceId || !this.inputs.includes(deviceId)) throw Object.assign(new Error('none'), { name: 'NotFoundError' });
    const track = new Track(deviceId);
    this.#tracks.push(track);
    return { getTracks: () => [track], getAudioTracks: () => [track] };
  }

  #send(deviceId: string): Promise<void> {
    if (deviceId && !this.outputs.includes(deviceId)) return Promise.reject(new Error('no such device'));
    this.sink = deviceId;
    return Promise.resolve();
  }

  #contexts(): unknown {
    const send = (deviceId: string) => this.#send(deviceId);
    const sends = this.sinks === 'context' ? { setSinkId: send } : {};
    return class {
      state = 'running';
      readonly sampleRate = 48_000;
      readonly destination = new Node(this);
      readonly audioWorklet = { addModule: async () => {} };

      constructor() {
        Object.assign(this, sends);
      }

      get currentTime(): number {
        return performance.now() / 1000;
      }

      createGain = () => new Node(this);
      createBuffer = () => ({});
      createBufferSource = () => Object.assign(new Node(this), { start: () => {} });
      createMediaStreamDestination = () => Object.assign(new Node(this), { stream: {} });
      createMediaStreamSource(stream: { getAudioTracks(): Track[] }): Node {
        const source = new Node(this);
        source.connect = (target) => {
          const [track] = stream.getAudioTracks();
          if (track) track.worklet = target as Worklet;
        };
        return source;
      }

      async resume(): Promise<void> {}
      async close(): Promise<void> {
        this.state = 'closed';
      }
    };
  }

  #worklets(): unknown {
    const keep = (player: Worklet) => (this.#player = player);
    return class extends Worklet {
      constructor(context: unknown, name: string) {
        super(context);
        if (name === 'vivavoce-playback') keep(this);
      }
    };
  }

  #elements(): unknown {
    const send = (deviceId: string) => this.#send(deviceId);
    const sends = this.sinks === 'none' ? {} : { setSinkId: send };
    return class {
      srcObject: unknown = null;

      constructor() {
        Object.assign(this, sends);
      }

      async play(): Promise<void> {}
    };
  }
}
