import { defineConfig } from 'vite';

// `make run` prints its page's address; session.ts asks it for a token.
const page = process.env.VIVAVOCE_PAGE ?? 'http://127.0.0.1:8787';

export default defineConfig({
  define: { 'import.meta.env.VIVAVOCE_PAGE': JSON.stringify(page) },
  // The SDK is a link to its own folder, where another React lies for its tests. From npm it needs no such line.
  resolve: { dedupe: ['react', 'react-dom'] },
});
