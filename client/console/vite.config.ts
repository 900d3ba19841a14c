import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** The SDK's worklets are files as it ships them, and name a map that the page does not serve. */
const withoutMaps: Plugin = {
  name: 'without-maps',
  generateBundle(_, files) {
    for (const file of Object.values(files)) {
      if (file.type !== 'asset' || !file.fileName.endsWith('.js')) continue;
      file.source = Buffer.from(file.source).toString().replace(/^\/\/# sourceMappingURL=.*$/m, '');
    }
  },
};

export default defineConfig({
  plugins: [react(), withoutMaps],
  base: './',
  // The SDK is a link to its own folder, where another React lies for its tests.
  resolve: { dedupe: ['react', 'react-dom'] },
  // Nothing inline: the page's policy admits files of its own origin only, and a worklet is a file.
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
