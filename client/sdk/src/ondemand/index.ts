// What many calls never need: see ../ondemand.ts. Of the core's objects only public names are known here.
export { listDevices } from './devices.js';
export { encodeImage } from './image.js';
export { runTool } from './tool.js';
export { blank } from './wire.js';
