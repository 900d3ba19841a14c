module.exports = {
  preset: '@react-native/jest-preset',
  globalSetup: '<rootDir>/test/stack.js',
  globalTeardown: '<rootDir>/test/stack-end.js',
  setupFiles: ['<rootDir>/test/setup.js'],
  testMatch: ['<rootDir>/test/*.test.ts?(x)', '<rootDir>/test/*.test.js'],
  testTimeout: 90_000, // to end what hangs: a cold start and several answers, on a busy machine
  maxWorkers: 1,
  // The link to ../../sdk has a React of its own beside it.
  moduleNameMapper: { '^react($|/.*)': '<rootDir>/node_modules/react$1' },
  transformIgnorePatterns: ['node_modules/(?!(@react-native|react-native|expo-modules-core|vivavoce)/)'],
};
