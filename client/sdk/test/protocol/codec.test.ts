import { expect, test } from 'vitest';
import { decodeMessage } from '../../src/protocol/codec.js';

test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])('%s is no type, though every object has it', (type) => {
  expect(() => decodeMessage(JSON.stringify({ type }))).toThrow('unknown_type');
});

test('a field is not taken from what a message claims to inherit', () => {
  expect(() => decodeMessage('{"type":"ack","__proto__":{"seq":1}}')).toThrow('bad_message');
});

test('a default that an app changes is whole again in the next message', () => {
  const call = () => decodeMessage('{"type":"tool.call","call_id":"c1","name":"weather","deadline_ms":1}');
  Object.assign((call() as { args: object }).args, { city: 'Bern' });
  expect(call()).toMatchObject({ args: {} });
  expect((call() as { args: object }).args).toEqual({});
});
