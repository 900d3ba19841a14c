import type { FromPlayback } from '../../src/worklets/messages.js';

interface Port {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: unknown): void;
}

/** A node of the graph that carries no sound. */
class FakeNode {
  readonly gain = { value: 1 };
  connect(): void {}
  disconnect(): void {}
}

/** A worklet whose audio thread is the test. */
export class FakeWorkletNode extends FakeNode {
  static readonly made: FakeWorkletNode[] = [];
  readonly port: Port = { onmessage: null, postMessage: () => {} };

  constructor() {
    super();
    FakeWorkletNode.made.push(this);
  }

  /** The audio thread says something to the page. */
  says(data: FromPlayback): void {
    this.port.onmessage?.({ data });
  }
}

/**
 * An AudioContext as Firefox has it: asking it how late the loudspeaker is takes a lock that the audio thread may hold
 * while it waits for the page. Here the page is told at once; there it stands still for good.
 */
export class LockedContext {
  readonly destination = new FakeNode();
  readonly baseLatency = 0.01;

  get outputLatency(): number {
    throw new Error('deadlock: outputLatency was read');
  }

  getOutputTimestamp(): never {
    throw new Error('deadlock: getOutputTimestamp was called');
  }

  createGain(): FakeNode {
    return new FakeNode();
  }
}
