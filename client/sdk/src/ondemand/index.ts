// What many calls never need: see ../ondemand.ts. Of the core's objects only public names are known here.
export { ToolCalls } from './calls.js';
export { tell } from './told.js';
export { checkSpeaker, listDevices, mediaDevices } from './devices.js';
export { EarlyRoad } from './early.js';
export { FrameForm } from './form.js';
export { recall, settle } from './history.js';
export { encodeImage } from './image.js';
export { microphoneError } from './microphone.js';
export { routeTo } from './speaker.js';
export { spectrum } from './spectrum.js';
export { blank } from './wire.js';
