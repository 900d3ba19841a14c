import { expect, test } from 'vitest';
import { whole } from '../../src/ondemand/whole.js';
import { decodeMessage } from '../../src/protocol/codec.js';

test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])('%s is no type, though every object has it', (type) => {
  expect(() => decodeMessage(JSON.stringify({ type }))).toThrow('unknown_type');
});

test('a field is not taken from what a message claims to inherit', () => {
  expect(() => decodeMessage('{"type":"ack","__proto__":{"seq":1}}')).toThrow('bad_message');
});

test('a default that an app changes is whole again in the next message', () => {
  const call = () => whole(decodeMessage('{"type":"tool.call","call_id":"c1","name":"weather","deadline_ms":1}'));
  Object.assign((call() as { args: object }).args, { city: 'Bern' });
  expect(call()).toMatchObject({ args: {} });
  expect((call() as { args: object }).args).toEqual({});
});

test('what the core has no fields of comes as it is, but for its number', () => {
  const text = '{"type":"tool.status","state":1,"e":1,"n":2}';
  expect(decodeMessage(text)).toEqual({ type: 'tool.status', state: 1, e: 1, n: 2 });
  expect(whole(decodeMessage(text))).toBeNull();
  expect(() => decodeMessage('{"type":"tool.status","n":"2"}')).toThrow('bad_message');
});
