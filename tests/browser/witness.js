// Runs in the page before its own scripts: listens on the sockets and, where `__listens`, on the loudspeaker, and
// changes neither.
// Times are of the audio clock (AudioContext.currentTime) where they are compared with sound.
(() => {
  const seen = { frames: [], messages: [], blocks: [], sent: [], contexts: [], violations: [] };
  window.__witness = seen;
  document.addEventListener('securitypolicyviolation', (event) => {
    seen.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
  });
  window.__base64 = (bytes) => {
    let text = '';
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return btoa(text);
  };
  const clock = () => seen.contexts.at(-1)?.currentTime ?? 0;

  window.WebSocket = class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols);
      this.addEventListener('message', ({ data }) => {
        if (typeof data === 'string') seen.messages.push({ at: clock(), ms: performance.now(), ...JSON.parse(data) });
        else this.#frame(data);
      });
    }

    #frame(data) {
      const view = new DataView(data);
      seen.frames.push({ turn: view.getUint16(2), seq: view.getUint32(4), pcm: new Int16Array(data.slice(8)) });
    }

    send(data) {
      const isText = typeof data === 'string';
      const what = isText ? JSON.parse(data) : { type: 'audio', bytes: data.byteLength };
      seen.sent.push({ at: clock(), ms: performance.now(), ...what });
      super.send(data);
    }
  };

  // What is connected to the loudspeaker is connected to a recorder, too.
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode && window.__listens) void tap(this);
    return connect.call(this, target, ...rest);
  };

  const taps = new Map();

  /** One recorder for each context: it hears the sum, as the loudspeaker does. */
  async function tap(source) {
    const { context } = source;
    if (!taps.has(context)) {
      seen.contexts.push(context);
      taps.set(context, recorder(context));
    }
    connect.call(source, await taps.get(context));
  }

  async function recorder(context) {
    await context.audioWorklet.addModule(window.__tap);
    const node = new AudioWorkletNode(context, 'witness-tap', { channelCount: 1, channelCountMode: 'explicit' });
    node.port.onmessage = ({ data }) => seen.blocks.push(data);
    connect.call(node, context.destination);
    return node;
  }
})();
