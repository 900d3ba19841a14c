import { RemoteProtocolError } from './checks.js';
import { SAMPLE_BYTES, UPLINK_HZ } from './tables.js';

const AUDIO = 1; //: the only frame kind of version 1
const HEADER_BYTES = 8; //: kind u8, flags u8, turn u16, seq u32, big-endian

/** One binary message of the agent's voice. */
export interface AudioFrame {
  readonly type: 'audio';
  readonly turn: number;
  readonly seq: number;
  /** Mono s16le, 24 kHz. */
  readonly pcm: ArrayBuffer;
}

export function encodeAudio(turn: number, seq: number, pcm: ArrayBuffer): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEADER_BYTES + pcm.byteLength);
  const view = new DataView(frame.buffer);
  view.setUint8(0, AUDIO);
  view.setUint16(2, turn);
  view.setUint32(4, seq);
  frame.set(new Uint8Array(pcm), HEADER_BYTES);
  return frame;
}

/** Unknown flags are ignored: a newer peer's. Throws RemoteProtocolError. */
export function decodeAudio(data: ArrayBuffer): AudioFrame {
  const view = new DataView(data);
  if (view.byteLength < HEADER_BYTES || view.getUint8(0) !== AUDIO || view.byteLength % SAMPLE_BYTES)
    throw new RemoteProtocolError('bad_frame');
  return { type: 'audio', turn: view.getUint16(2), seq: view.getUint32(4), pcm: data.slice(HEADER_BYTES) };
}

/** Give a frame another number. */
export function renumber(frame: Uint8Array<ArrayBuffer>, seq: number): void {
  new DataView(frame.buffer).setUint32(4, seq);
}

/** Milliseconds of microphone audio in a frame. */
export function uplinkMs(frame: Uint8Array): number {
  return (frame.length - HEADER_BYTES) / ((UPLINK_HZ * SAMPLE_BYTES) / 1000);
}
