import { defineConfig } from 'vite';

// `make run` prints its page's address. Passed on from here, because that page answers no other origin.
const page = process.env.VIVAVOCE_PAGE ?? 'http://127.0.0.1:8787';

export default defineConfig({
  server: { proxy: { '/dev/session.json': { target: page, changeOrigin: true } } },
});
