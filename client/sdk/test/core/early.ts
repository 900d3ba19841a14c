import { expect } from 'vitest';
import type { TokenContext } from '../../src/index.js';
import type { FakeSocket } from '../../src/testing/index.js';
import { pass, rig } from './rig.js';

export type Rig = ReturnType<typeof rig>;

/** A rig whose token endpoint is watched; `tokens` are its answers, the last one over and over. */
export function watched(tokens: (string | Error | Promise<string>)[] = ['a.jwt'], options = {}) {
  const asked: string[] = [];
  const token = async ({ reason }: TokenContext) => {
    asked.push(reason);
    const answer = tokens.length > 1 ? tokens.shift() : tokens[0];
    if (answer instanceof Error) throw answer;
    return answer as string;
  };
  return { asked, ...rig({ session: { url: 'wss://control.test', token }, ...options }) };
}

export function onControl({ server }: Rig): FakeSocket[] {
  return server.transport.sockets.filter(({ road }) => road === 'control');
}

/** A JWT that expires in so many seconds. */
export function expiring(seconds: number): string {
  const claims = { sub: 'ü?>', exp: Math.floor(Date.now() / 1000) + seconds };
  return `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
}

/** The call is live, and has taken so many control connections all in all. */
export async function expectLive(all: Rig, controls: number): Promise<void> {
  await pass(1000);
  expect(all.client.getSnapshot()).toMatchObject({ status: 'connected' });
  expect(onControl(all)).toHaveLength(controls);
  expect(all.server.transport.openOn('media')).toHaveLength(1);
  expect(all.seen.error).toEqual([]);
}
