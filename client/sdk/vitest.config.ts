import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The build puts the worklets' text here; tests run the worklets themselves.
  define: { __WORKLETS__: '""' },
  // Time limits are there to end what hangs, on a machine as busy as it may be.
  test: { include: ['test/**/*.test.{ts,tsx}'], restoreMocks: true, maxWorkers: 1, testTimeout: 60_000, hookTimeout: 60_000 },
});
