import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  base: './',
  // The SDK is a link to its own folder, where another React lies for its tests.
  resolve: { dedupe: ['react', 'react-dom'] },
  // Nothing inline: the page's policy admits files of its own origin only, and a worklet is a file.
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
