import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The build puts the worklets' text here; tests run the worklets themselves.
  define: { __WORKLETS__: '""' },
  test: { include: ['test/**/*.test.{ts,tsx}'], restoreMocks: true, maxWorkers: 1 },
});
