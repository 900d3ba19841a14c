const HEADER_BYTES = 4; //: prediction s16, index u8, 0; big-endian
const LAST = 88; //: index
const MOVES = [-1, -1, -1, -1, 2, 4, 6, 8]; //: of the index, by the lower three bits of a code

/** Size of a step, by index. */
const STEPS = [
  7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97, 107, 118,
  130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796, 876, 963, 1060,
  1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484, 7132,
  7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794, 32767,
];

/** Microphone audio in a quarter of the bytes (IMA ADPCM): blocks that need no other, each beginning where the last one ended. */
export class AdpcmEncoder {
  #prediction = 0;
  #index = 0;

  /** Encode mono s16le. The last sample of an odd number is followed by a code 0. */
  block(pcm: DataView): Uint8Array<ArrayBuffer> {
    const samples = Math.floor(pcm.byteLength / 2);
    const block = new Uint8Array(HEADER_BYTES + Math.ceil(samples / 2));
    new DataView(block.buffer).setInt16(0, this.#prediction);
    block[2] = this.#index;
    for (let at = 0; at < samples; at += 2) {
      const first = this.#encode(pcm.getInt16(2 * at, true));
      const second = at + 1 < samples ? this.#encode(pcm.getInt16(2 * at + 2, true)) : this.#follow(0, 0);
      block[HEADER_BYTES + at / 2] = (first << 4) | second;
    }
    return block;
  }

  #encode(sample: number): number {
    const step = STEPS[this.#index] as number;
    let left = Math.abs(sample - this.#prediction);
    let code = 0;
    let size = step >> 3;
    for (let bit = 4, part = step; bit; bit >>= 1, part >>= 1)
      if (left >= part) {
        code |= bit;
        left -= part;
        size += part;
      }
    return sample < this.#prediction ? this.#follow(code | 8, -size) : this.#follow(code, size);
  }

  /** As the decoder does, which knows only the codes. */
  #follow(code: number, difference: number): number {
    this.#prediction = Math.max(-0x8000, Math.min(0x7fff, this.#prediction + difference));
    this.#index = Math.max(0, Math.min(LAST, this.#index + (MOVES[code & 7] as number)));
    return code;
  }
}
