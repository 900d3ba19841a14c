const path = require('node:path');
const { getDefaultConfig, mergeConfig } = require('@react-native/metro-config');

const sdk = path.resolve(__dirname, '../../sdk');
const literally = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

// `vivavoce` is a link to ../../sdk, beside whose sources another React lies, for its tests: everything is looked up here.
// An app that installs the package needs none of this.
module.exports = mergeConfig(getDefaultConfig(__dirname), {
  maxWorkers: 1,
  watchFolders: [sdk],
  resolver: {
    blockList: [new RegExp(`^${literally(path.join(sdk, 'node_modules'))}/`)],
    nodeModulesPaths: [path.join(__dirname, 'node_modules')],
  },
});
