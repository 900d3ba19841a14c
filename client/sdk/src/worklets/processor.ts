/** What a worklet does in one quantum, with its first channels. */
interface Worklet {
  render(input: Float32Array | undefined, output: Float32Array | undefined): void;
}

/** Give a worklet to the page: `make` gets the options and the port of one node. */
export function register<O>(name: string, make: (options: O, port: MessagePort) => Worklet): void {
  registerProcessor(
    name,
    class extends AudioWorkletProcessor {
      readonly #worklet: Worklet;

      constructor({ processorOptions }: { processorOptions: O }) {
        super();
        this.#worklet = make(processorOptions, this.port);
      }

      process([input]: Float32Array[][], [output]: Float32Array[][]): boolean {
        this.#worklet.render(input?.[0], output?.[0]);
        return true; // without a source too: the device may be changing
      }
    },
  );
}
