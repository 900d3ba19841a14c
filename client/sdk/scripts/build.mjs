// Builds dist: each worklet as one file, then the entries with the worklets' text inside.

import { rmSync } from 'node:fs';
import { build } from 'esbuild';

const common = {
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
};

/** `vivavoce/react` and `/testing` use the core as their neighbour, so that an app has it once. */
const core = {
  name: 'core',
  setup: ({ onResolve }) => onResolve({ filter: /^\.\.\/index\.js$/ }, () => ({ path: './index.js', external: true })),
};

async function worklet(name) {
  const { outputFiles } = await build({
    ...common,
    entryPoints: [`src/worklets/${name}.ts`],
    outfile: `dist/worklets/${name}.js`,
    format: 'iife', // no imports: they do not resolve from a blob: URL
    write: false,
  });
  return outputFiles[0];
}

rmSync('dist', { recursive: true, force: true });
const worklets = {};
for (const name of ['capture', 'playback']) {
  const file = await worklet(name);
  worklets[`__${name.toUpperCase()}__`] = JSON.stringify(file.text);
  await build({ ...common, entryPoints: [`src/worklets/${name}.ts`], outfile: file.path, format: 'iife' });
}
await build({ ...common, entryPoints: ['src/index.ts'], outfile: 'dist/index.js', define: worklets });
for (const name of ['react', 'testing']) {
  await build({
    ...common,
    entryPoints: [`src/${name}/index.ts`],
    outfile: `dist/${name}.js`,
    external: ['react'],
    plugins: [core],
  });
}
