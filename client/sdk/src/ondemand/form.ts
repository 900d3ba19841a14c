import { AdpcmEncoder } from '../protocol/adpcm.js';
import { UplinkForm } from '../protocol/uplink-form.js';

const ADPCM = 2; //: kind of a frame
const HEADER_BYTES = 8;

interface Session {
  can(capability: string): boolean;
}

/** Between the frames that wait, which are PCM, and the socket of a line that was too narrow for them. */
export class FrameForm {
  readonly #form = new UplinkForm();
  readonly #encoder = new AdpcmEncoder();
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  get narrowUntil(): number {
    return this.#form.narrowUntil;
  }

  dropped(now: number): void {
    this.#form.dropped(now, this.#isPossible);
  }

  held(now: number): void {
    if (this.#isPossible) this.#form.held(now);
  }

  /** Return the frame as it goes out now. */
  written(frame: Uint8Array<ArrayBuffer>, now: number): Uint8Array<ArrayBuffer> {
    if (!this.#isPossible || !this.#form.isAdpcm(now)) return frame;
    const block = this.#encoder.block(new DataView(frame.buffer, HEADER_BYTES));
    const lean = new Uint8Array(HEADER_BYTES + block.length);
    lean.set(frame.subarray(0, HEADER_BYTES));
    lean[0] = ADPCM;
    lean.set(block, HEADER_BYTES);
    return lean;
  }

  get #isPossible(): boolean {
    return this.#session.can('adpcm');
  }
}
