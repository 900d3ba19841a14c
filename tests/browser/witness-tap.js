// Hands every sample on with its place on the audio clock; its own output stays silent.
registerProcessor(
  'witness-tap',
  class extends AudioWorkletProcessor {
    #block = new Float32Array(2048);
    #filled = 0;
    #from = 0;

    process([[channel]]) {
      const samples = channel ?? new Float32Array(128);
      if (this.#filled === 0) this.#from = currentFrame;
      this.#block.set(samples, this.#filled);
      this.#filled += samples.length;
      if (this.#filled === this.#block.length) {
        this.port.postMessage({ from: this.#from, samples: this.#block.slice() });
        this.#filled = 0;
      }
      return true;
    }
  },
);
