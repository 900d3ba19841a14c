import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { describe, expect, test } from 'vitest';

const DIST = new URL('../dist/', import.meta.url);
const read = (file: string) => readFileSync(new URL(file, DIST), 'utf8');
const isBuilt = existsSync(new URL('index.js', DIST));
const scripts = isBuilt ? (readdirSync(DIST, { recursive: true }) as string[]).filter((file) => /\.js$/.test(file)) : [];

/** Where in the sources a position of a built file comes from: `src/call.ts`, and the line's text. */
function originOf(file: string, offset: number): { source: string; line: string } {
  const before = read(file).slice(0, offset).split('\n');
  const map = new SourceMap(JSON.parse(read(`${file}.map`)));
  const entry = map.findEntry(before.length - 1, before.at(-1)?.length ?? 0);
  if (!('originalSource' in entry)) throw new Error(`${file}: nothing is known of offset ${offset}`);
  const url = new URL(entry.originalSource, new URL(file, DIST));
  const line = readFileSync(url, 'utf8').split('\n')[entry.originalLine] ?? '';
  return { source: url.pathname.slice(new URL('../', DIST).pathname.length), line };
}

describe.skipIf(!isBuilt)('what is shipped leads back to what was written', () => {
  test.each(scripts)('every source of %s is in its map, as it is on disk', (file) => {
    expect(read(file).trimEnd().endsWith(`//# sourceMappingURL=${file.split('/').at(-1)}.map`)).toBe(true);
    const { sources, sourcesContent } = JSON.parse(read(`${file}.map`)) as Record<string, string[]>;
    expect(sources?.length).toBeGreaterThan(0);
    sources?.forEach((source, at) => {
      expect(source).toMatch(/^(\.\.\/)+src\//);
      expect(sourcesContent?.[at]).toBe(readFileSync(new URL(source, new URL(file, DIST)), 'utf8'));
    });
  });

  test.each([
    ['index.js', /["`]connect_timeout["`]/g, 'src/call.ts'],
    ['index.js', /["`]worklet_blocked["`]/g, 'src/audio/modules.ts'],
    ['index.js', /out_of_order: /g, 'src/protocol/states.ts'],
    ['ondemand.js', /The tool failed\./g, 'src/ondemand/tool.ts'],
    ['react.js', /createContext/g, 'src/react/context.ts'],
    ['worklets/playback.js', /registerProcessor/g, 'src/worklets/playback.ts'],
  ])('a position in %s at %s leads to %s', (file, text, source) => {
    const origins = [...read(file).matchAll(text)].map(({ index }) => originOf(file, index));
    expect(origins.map((origin) => origin.source)).toContain(source);
    const word = /\w[\w ]*/.exec(text.source.replace('["`]', ''))?.[0] as string;
    for (const { line } of origins) expect(line).toContain(word);
  });

  test('the stack of an error names the file and line of the source', () => {
    const script = `import { VoiceClient } from ${JSON.stringify(new URL('index.js', DIST).href)};
      const client = new VoiceClient({ session: { url: 'wss://x.test', token: 'a.jwt' } });
      await client.sendText('Hello?').catch(({ stack }) => console.log(stack));`;
    const stack = execFileSync('node', ['--enable-source-maps', '--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    const [, line] = /src\/client\.ts:(\d+)/.exec(stack) ?? [];
    const written = readFileSync(new URL('../src/client.ts', DIST), 'utf8').split('\n');
    expect(written[Number(line) - 1]).toContain("throw new VoiceError('not_connected'");
  });

  test('property names are the written ones: only local and private names are short', () => {
    const [core, text] = [read('index.js'), readFileSync(new URL('../src/roads/control.ts', DIST), 'utf8')];
    const members = [...text.matchAll(/^ {2}(?:async )?([a-z]\w+)(?: = |\()/gm)].map(([, name]) => name as string);
    const own = members.filter((name) => name !== 'constructor');
    expect(own).toContain('resumeKey');
    expect(own.filter((name) => !new RegExp(`\\b${name}\\b`).test(core))).toEqual([]);
  });
});
