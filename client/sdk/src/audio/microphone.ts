import { VoiceError } from '../errors.js';
import { onDemand } from '../ondemand.js';
import type { Captured } from '../worklets/messages.js';
import type { MicInfo, MicOptions, Microphone, MicrophoneEvents } from './engine.js';
import { wake } from './player.js';

const SILENT_MS = 3000; //: nothing but zeros for so long is a switch, not a quiet room
const MUTED_MS = 5000; //: a track that the system mutes for so long is taken anew

/** The browser's microphone through the capture worklet. */
export class BrowserMicrophone implements Microphone {
  stream: MediaStream | null = null;
  level = 0;
  source: MediaStreamAudioSourceNode | null = null;
  #node: AudioWorkletNode | null = null;
  #isOurs = false;
  #attempt = 0;
  #options: MicOptions = {};
  #events: MicrophoneEvents | null = null;
  #silentMs = 0;
  readonly #context: () => Promise<AudioContext>;

  constructor(context: () => Promise<AudioContext>) {
    this.#context = context;
  }

  /** Asks the browser before anything is awaited: the click still counts. */
  async open(options: MicOptions, events: MicrophoneEvents): Promise<MicInfo> {
    this.#release(); // first: Safari ends a new track of the same device otherwise
    const attempt = ++this.#attempt;
    this.#options = options;
    this.#events = events;
    const stream = await this.#acquire(options);
    const context = await this.#context();
    if (attempt !== this.#attempt) {
      if (this.#isOurs) stopAll(stream);
      throw new VoiceError('aborted');
    }
    this.stream = stream;
    this.connect(context);
    const track = stream.getAudioTracks()[0];
    if (track) this.#watch(track, attempt);
    this.revive(); // it may be gone already
    return infoOf(track);
  }

  async close(): Promise<void> {
    this.#attempt += 1;
    this.#release();
  }

  /** Connect to this context, or to the one that replaces it. */
  connect(context: AudioContext): void {
    if (!this.stream) return;
    const { frameMs = 20 } = this.#options;
    this.source = context.createMediaStreamSource(this.stream);
    this.#node = new AudioWorkletNode(context, 'vivavoce-capture', {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: 'explicit',
      processorOptions: { frameMs },
    });
    this.source.connect(this.#node);
    void wake(context); // without a click it may not have run: a page that captures may play
    this.#silentMs = 0;
    this.#node.port.onmessage = ({ data }: MessageEvent<Captured>) => {
      this.level = data.level;
      this.#events?.frame(data.pcm);
      this.#silentMs = data.level ? 0 : this.#silentMs + frameMs;
      if (this.#silentMs === SILENT_MS) this.#events?.failed(new VoiceError('mic_silent'));
    };
  }

  pause(isPaused: boolean): void {
    this.#events?.paused(isPaused);
  }

  /** Reopen a track that ended unseen: while it was opened, or while the page was hidden, when some phones send no event. */
  revive(): void {
    if (this.stream?.getAudioTracks()[0]?.readyState === 'ended') void this.#retake();
  }

  async #acquire({ stream, deviceId, ...wishes }: MicOptions): Promise<MediaStream> {
    this.#isOurs = !stream;
    if (stream) return typeof stream === 'function' ? await stream() : stream;
    const { echoCancellation = true, noiseSuppression = true, autoGainControl = true } = wishes;
    const audio = {
      channelCount: 1,
      echoCancellation,
      noiseSuppression,
      autoGainControl,
      ...(deviceId && { deviceId: isIos() ? { ideal: deviceId } : { exact: deviceId } }),
    } as MediaTrackConstraints; // 'all' is newer than the type
    try {
      return await navigator.mediaDevices.getUserMedia({ audio });
    } catch (cause) {
      throw (await onDemand()).microphoneError(cause as Error);
    }
  }

  #watch(track: MediaStreamTrack, attempt: number): void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ifSame = (act: () => void) => () => {
      if (attempt === this.#attempt) act();
    };
    track.onended = ifSame(() => void this.#retake());
    track.onmute = ifSame(() => {
      this.pause(true);
      timer = setTimeout(
        ifSame(() => void this.#retake()),
        MUTED_MS,
      );
    });
    track.onunmute = ifSame(() => {
      clearTimeout(timer);
      this.pause(false);
    });
    // Newer than the type: a headset changed its profile, or the system its default.
    track.addEventListener(
      'configurationchange',
      ifSame(() => this.#events?.changed(infoOf(track))),
    );
  }

  /** Open again, the same device first, then whatever there is. */
  async #retake(): Promise<void> {
    const events = this.#events;
    if (!events) return;
    const { deviceId, ...any } = this.#options;
    try {
      const info = await this.open(this.#options, events).catch((error: VoiceError) => {
        if (!deviceId || error.code === 'aborted') throw error;
        return this.open(any, events);
      });
      events.changed(info);
      events.paused(false);
    } catch (cause) {
      if ((cause as VoiceError).code === 'aborted') return;
      this.#release();
      events.failed(new VoiceError('mic_lost', '', { cause }));
    }
  }

  #release(): void {
    this.source?.disconnect();
    if (this.#node) this.#node.port.onmessage = null;
    if (this.stream && this.#isOurs) stopAll(this.stream);
    this.stream = null;
    this.source = null;
    this.#node = null;
    this.level = 0;
  }
}

function stopAll(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

function infoOf(track: MediaStreamTrack | undefined): MicInfo {
  return { deviceId: track?.getSettings().deviceId, label: track?.label };
}

/** There default devices are no stable choice, and `exact` fails after a route change. */
function isIos(): boolean {
  const { userAgent, maxTouchPoints } = navigator;
  return /iP(hone|ad|od)/.test(userAgent) || (userAgent.includes('Mac') && maxTouchPoints > 1);
}
