// Builds dist: each worklet as one file, then the entries, with the worklets' text inside the core. Only esbuild's own
// minifier is at work, which shortens local and private (#) names; every file has a source map with its sources.
import { mkdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

/** Entries beside the core. Each finds it, and the others, as a neighbour in dist, so that an app has everything once. */
const BESIDE = ['advice', 'element', 'ondemand', 'react', 'react-native', 'testing'];
const IN_BESIDE = new RegExp(`/src/(${BESIDE.join('|')})/`);

const neighbours = {
  name: 'neighbours',
  setup: ({ onResolve }) => {
    const external = (path) => ({ path, external: true });
    for (const name of BESIDE)
      onResolve({ filter: new RegExp(`/${name}/index\\.js$`) }, () => external(`./${name}.js`));
    // Classes that `instanceof` asks about: a copy would not be recognised.
    onResolve({ filter: /^\.\.\/(index|errors|tools)\.js$/ }, ({ importer }) =>
      IN_BESIDE.test(importer) ? external('./index.js') : undefined,
    );
  },
};

/** One file of dist from one module of src. */
function bundle(entry, outfile, options = {}) {
  return build({
    entryPoints: [`src/${entry}.ts`],
    outfile: `dist/${outfile}.js`,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    sourcemap: 'linked',
    legalComments: 'none',
    logLevel: 'warning',
    external: ['react'],
    plugins: [neighbours],
    ...options,
  });
}

/** A worklet registers itself, which package.json's `sideEffects` does not say of its module. */
function worklet(name, options = {}) {
  return bundle(`worklets/${name}`, `worklets/${name}`, { ignoreAnnotations: true, ...options });
}

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');
for (const name of ['capture', 'playback']) await worklet(name);
// No imports and no map: neither resolves from a blob: URL.
const both = await worklet('both', { sourcemap: false, write: false });
const define = { __WORKLETS__: JSON.stringify(both.outputFiles[0].text.trim()) };
await bundle('index', 'index', { define });
for (const name of BESIDE) await bundle(`${name}/index`, name);
// For a script tag: one file, in which what is loaded on demand is only run on demand.
await bundle('element/index', 'vivavoce-call', { define, plugins: [] });
