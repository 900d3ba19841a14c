interface Sink {
  setSinkId?(deviceId: string): Promise<void>;
}

interface Route {
  /** Plays what the context makes, where the context itself cannot be sent to a device. */
  readonly element: HTMLAudioElement & Sink;
  readonly into: MediaStreamAudioDestinationNode;
  isOn: boolean;
}

const routes = new WeakMap<AudioNode, Route>();
const changing = new WeakMap<AudioNode, Promise<void>>(); //: a change waits for the one before

/** Send the sound of `output` to a device; null: the system's choice. Rejects where that cannot be had. */
export function routeTo(output: AudioNode, deviceId: string | null): Promise<void> {
  const before = changing.get(output) ?? Promise.resolve();
  const change = before.catch(() => {}).then(() => route(output, deviceId));
  changing.set(output, change);
  return change;
}

async function route(output: AudioNode, deviceId: string | null): Promise<void> {
  const context = output.context as AudioContext;
  if ('setSinkId' in context) await ofContext(context as AudioContext & Required<Sink>, deviceId ?? '');
  else if (deviceId) await throughElement(output, context, deviceId);
  else directly(output, context);
}

/** Chromium suspends a context while it changes, and one that is changed again meanwhile stays suspended for good. */
async function ofContext(context: AudioContext & Required<Sink>, deviceId: string): Promise<void> {
  const isRunning = context.state === 'running';
  await context.setSinkId(deviceId);
  if (isRunning) await context.resume();
}

/** Firefox and Safari send elements to a device, and no context. */
async function throughElement(output: AudioNode, context: AudioContext, deviceId: string): Promise<void> {
  const made = routes.get(output) ?? { element: new Audio(), into: context.createMediaStreamDestination(), isOn: false };
  const { element, into } = made;
  if (!element.setSinkId) throw new Error('this browser lets no page choose a speaker');
  await element.setSinkId(deviceId);
  routes.set(output, made);
  if (made.isOn) return;
  element.srcObject = into.stream;
  await element.play();
  output.connect(into);
  output.disconnect(context.destination);
  made.isOn = true;
}

function directly(output: AudioNode, context: AudioContext): void {
  const made = routes.get(output);
  if (!made?.isOn) return;
  output.connect(context.destination);
  output.disconnect(made.into);
  made.element.srcObject = null;
  made.isOn = false;
}
