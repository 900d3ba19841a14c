// What many calls never need: loaded when it is used, so that the core stays small.
export { encodeImage } from './image.js';
export { runTool } from './tool.js';
