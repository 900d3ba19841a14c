// Builds dist: each worklet as one file, then the entries, with the worklets' text inside the core.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { minify } from 'terser';

/** `vivavoce/react` and its neighbours use the core as a neighbour too, so that an app has it once. */
const neighbours = {
  name: 'neighbours',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^\.\.\/index\.js$/ }, () => ({ path: './index.js', external: true }));
    onResolve({ filter: /^\.\.\/advice\/index\.js$/ }, () => ({ path: './advice.js', external: true }));
  },
};

async function bundle(entry, options = {}) {
  const result = await build({
    entryPoints: [`src/${entry}.ts`],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    write: false,
    ...options,
  });
  const isModule = options.format !== 'iife';
  const { code } = await minify(result.outputFiles[0].text, {
    module: isModule,
    ecma: 2020,
    compress: { passes: 3, pure_getters: true, unsafe_arrows: true, unsafe_methods: true },
  });
  return `${code}\n`;
}

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist/worklets', { recursive: true });
// No imports, and nothing global: they do not resolve from a blob: URL.
const worklet = (name) => bundle(`worklets/${name}`, { format: 'iife', ignoreAnnotations: true });
for (const name of ['capture', 'playback']) writeFileSync(`dist/worklets/${name}.js`, await worklet(name));
const inside = { __WORKLETS__: JSON.stringify((await worklet('both')).trim()) };
writeFileSync('dist/index.js', await bundle('index', { define: inside }));
for (const name of ['advice', 'react', 'testing'])
  writeFileSync(`dist/${name}.js`, await bundle(`${name}/index`, { external: ['react'], plugins: [neighbours] }));
