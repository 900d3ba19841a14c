/** A page with nothing on it but the client: a test works `client`, and asks here what it wants to know. */
import { VoiceClient } from './sdk/index.js';

const EVENTS = ['agentspeechend', 'interrupted', 'error', 'devicechange', 'close'];
const told = [];
let client;

/** `stack`: the local page's address, whose user this is. `audio`: the client's options. */
window.prepare = (stack, audio) => {
  const ask = async () => (await fetch(`${stack}/dev/session.json`)).json();
  return ask().then(({ url }) => {
    client = new VoiceClient({ session: { url, token: async () => (await ask()).token }, audio });
    for (const name of EVENTS) client.on(name, ({ code, cause }) => told.push({ name, code, cause }));
    Object.assign(window, { client, told });
  });
};

/** The code of the error with which a promise of the client's rejects, or null. */
window.codeOf = (promise) => promise.then(() => null, (error) => error.code);

/** The state as JSON has it, errors as their codes. */
window.look = () => {
  const { status, agent, mic, speaker, metrics } = client.getSnapshot();
  return { status, agent, mic: { ...mic, error: mic.error?.code }, speaker, underruns: metrics.underruns };
};

/** The identifier of the device with this name. It may take a moment to be known. */
window.idOf = async (name) => {
  const { inputs, outputs } = await client.devices.list();
  return [...inputs, ...outputs].find(({ label, deviceId }) => label === name && deviceId !== 'default')?.deviceId;
};
