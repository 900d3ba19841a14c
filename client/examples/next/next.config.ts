import type { NextConfig } from 'next';

const config: NextConfig = {
  turbopack: { root: import.meta.dirname }, // this folder is an app of its own, whatever lies above it
};
export default config;
