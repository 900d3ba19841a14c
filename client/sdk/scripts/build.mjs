// Builds dist: each worklet as one file, then the entries, with the worklets' text inside the core.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { minify } from 'terser';
import { isCore as isInCore, withClosures } from './closures.mjs';
import { ownNames } from './names.mjs';

const OWN = ownNames();
/** Hooks and context run in the browser: a server component that imports them says so to its bundler. */
const DIRECTIVES = { react: "'use client';\n" };

const closures = {
  name: 'closures',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.ts$/ }, ({ path }) =>
      isInCore(path) ? { contents: withClosures(readFileSync(path, 'utf8'), path), loader: 'ts' } : undefined,
    );
  },
};

/** `vivavoce/react` and its neighbours use the core as a neighbour too, so that an app has it once. */
const neighbours = {
  name: 'neighbours',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^\.\.\/index\.js$/ }, () => ({ path: './index.js', external: true }));
    for (const name of ['advice', 'ondemand'])
      onResolve({ filter: new RegExp(`/${name}/index\\.js$`) }, () => ({ path: `./${name}.js`, external: true }));
  },
};

/** One file from an entry. `isCore`: nobody outside knows its inner names. */
async function bundle(entry, { isCore = false, ...options } = {}) {
  const result = await build({
    entryPoints: [`src/${entry}.ts`],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'warning',
    write: false,
    plugins: isCore ? [neighbours, closures] : [neighbours],
    ...options,
  });
  const { code } = await minify(result.outputFiles[0].text, {
    module: true,
    toplevel: true,
    ecma: 2022,
    // What is off here makes shorter text that compresses worse.
    compress: {
      passes: 3,
      pure_getters: true,
      unsafe_arrows: true,
      unsafe_methods: true,
      inline: 1,
      arrows: false,
      sequences: false,
      lhs_constants: false,
    },
    mangle: { properties: isCore && { regex: OWN } },
  });
  return `${code}\n`;
}

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist/worklets', { recursive: true });
// No imports: they do not resolve from a blob: URL.
const worklet = (name) => bundle(`worklets/${name}`, { isCore: true, ignoreAnnotations: true });
for (const name of ['capture', 'playback']) writeFileSync(`dist/worklets/${name}.js`, await worklet(name));
const inside = { __WORKLETS__: JSON.stringify((await worklet('both')).trim()) };
writeFileSync('dist/index.js', await bundle('index', { isCore: true, define: inside }));
for (const name of ['advice', 'ondemand', 'react', 'testing'])
  writeFileSync(`dist/${name}.js`, (DIRECTIVES[name] ?? '') + (await bundle(`${name}/index`, { external: ['react'] })));
