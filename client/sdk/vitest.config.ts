import { defineConfig } from 'vitest/config';
import { isCore, withClosures } from './scripts/closures.mjs';

export default defineConfig({
  // The build puts the worklets' text here; tests run the worklets themselves.
  define: { __WORKLETS__: '""' },
  // Tests run the classes as they are shipped.
  plugins: [
    {
      name: 'closures',
      enforce: 'pre',
      transform: (code, id) => (isCore(id) ? { code: withClosures(code, id), map: null } : undefined),
    },
  ],
  test: { include: ['test/**/*.test.{ts,tsx}'], restoreMocks: true, maxWorkers: 1 },
});
