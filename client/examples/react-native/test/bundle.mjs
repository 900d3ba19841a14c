// Metro bundles the app for both systems, and Hermes's compiler reads the bundles. Both are what a phone's build runs.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

const require = createRequire(import.meta.url);
const ROOT = path.resolve(import.meta.dirname, '..');
const CLI = path.join(ROOT, 'node_modules/.bin/react-native');
const SYSTEMS = { linux: 'linux64-bin', darwin: 'osx-bin', win32: 'win64-bin' };

const compiler = path.join(
  path.dirname(require.resolve('hermes-compiler/package.json')), 'hermesc', SYSTEMS[process.platform], 'hermesc',
);
const folder = mkdtempSync(path.join(tmpdir(), 'vivavoce-'));
try {
  for (const platform of ['android', 'ios']) {
    const bundle = path.join(folder, `${platform}.js`);
    const options = ['--platform', platform, '--dev', 'false', '--entry-file', 'index.js', '--bundle-output', bundle];
    execFileSync(CLI, ['bundle', ...options], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
    const compiled = `${bundle}.hbc`;
    execFileSync(compiler, ['-emit-binary', '-w', '-O', '-out', compiled, bundle], { stdio: 'inherit' });
    console.log(`${platform}: ${statSync(bundle).size} bytes bundled, ${statSync(compiled).size} bytes compiled`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
