// Both native modules are faked at their boundary, in JavaScript: above it all is React Native's own, its WebSocket too.
const { FakePhone } = require('vivavoce/testing');

jest.mock('react-native/Libraries/WebSocket/NativeWebSocketModule', () => ({
  __esModule: true,
  default: require('./websocket-module').webSockets,
}));

process.env.EXPO_OS = 'ios'; // Expo's own Babel preset would put it there
globalThis.WebSocket = require('react-native/Libraries/WebSocket/WebSocket').default;
globalThis.expo = {
  EventEmitter: class {},
  NativeModule: class {},
  SharedObject: class {},
  SharedRef: class {},
  modules: { VivavoceAudio: new FakePhone() },
};
