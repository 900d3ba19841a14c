// The published types, as an app with plain settings reads them: no library is skipped, nothing newer than ES2022.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const SETTINGS = {
  compilerOptions: {
    target: 'es2022',
    lib: ['es2022', 'dom', 'dom.iterable'],
    module: 'esnext',
    moduleResolution: 'bundler',
    jsx: 'react-jsx',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    types: [],
  },
};
const APP = `
import { type Quality, VoiceClient, type VoiceState } from 'vivavoce';
import { useMessages, useVoiceState } from 'vivavoce/react';

export const client = new VoiceClient({ session: { url: 'wss://x.test', token: 'a.jwt' }, config: { reply: 'text' } });
export const quality: Quality = client.getSnapshot().quality;
client.on('quality', ({ uplinkDelayMs }) => uplinkDelayMs.toFixed());

export function Transcript() {
  const status: VoiceState['status'] = useVoiceState((state) => state.status);
  const messages = useMessages({ tools: false });
  const all = useMessages();
  const tools = all.filter((message) => message.kind === 'tool').length;
  return <ol title={status} data-tools={tools}>{messages.map((m) => <li key={m.id}>{m.heard ?? m.text}</li>)}</ol>;
}
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(ROOT, 'types-test-')); // inside the package, whose own name leads to it
});
afterAll(() => rmSync(folder, { recursive: true }));

test.skipIf(!existsSync(join(ROOT, 'dist/types')))('hold in an app of ES2022, and say what each hook gives', () => {
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(SETTINGS));
  writeFileSync(join(folder, 'app.tsx'), APP);
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  expect(stdout).toBe('');
}, 60_000);
