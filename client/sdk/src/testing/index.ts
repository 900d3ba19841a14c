export { FakeEngine, FakeMicrophone, FakePlayer } from './engine.js';
export { FakePhone } from './phone.js';
export { FakeServer } from './server.js';
export { FakeSocket, FakeTransport } from './transport.js';
