import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isCore } from '../../scripts/closures.mjs';
import { ownNames } from '../../scripts/names.mjs';

const names = ownNames().source.slice(2, -2).split('|');
/** Of the core: other entries have their names for themselves. */
const [report = ''] = readFileSync('api.md', 'utf8').split('## vivavoce/');

test('our own names are shortened', () => {
  expect(names).toEqual(expect.arrayContaining(['expectTyped', 'resumeKey', 'stale_uplink_ms']));
});

test('no member of a public type is among them', () => {
  const members = [...report.matchAll(/^\s+(?:readonly |async |get )?(\w+)[?(:<]/gm)].map(([, name]) => name);
  expect(members).toEqual(expect.arrayContaining(['sendText', 'getSnapshot', 'deviceId', 'setMuted', 'resumeToken']));
  expect(members.filter((name) => names.includes(name as string))).toEqual([]);
});

test('none is asked for by a text', () => {
  const sources = (readdirSync('src', { recursive: true }) as string[]).filter((file) => isCore(`/src/${file}`));
  const texts = sources.flatMap((file) => {
    const quoted = readFileSync(`src/${file}`, 'utf8').matchAll(/(?<!Listener\()'([\w.]+)'/g); // events are the browser's
    return [...quoted].map(([, text]) => text as string);
  });
  expect(texts).toContain('turn.started');
  expect(names.filter((name) => texts.includes(name))).toEqual([]);
});
