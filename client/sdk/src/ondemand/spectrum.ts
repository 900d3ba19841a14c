const analysers = new WeakMap<AudioNode, AnalyserNode>();

/** Write the spectrum of what passes `node`, if it is there. */
export function spectrum(into: Uint8Array<ArrayBuffer>, node: AudioNode | null): void {
  if (!node) return;
  let analyser = analysers.get(node);
  if (!analyser) {
    analyser = new AnalyserNode(node.context, { fftSize: 2 * into.length });
    node.connect(analyser);
    analysers.set(node, analyser);
  }
  analyser.getByteFrequencyData(into);
}
