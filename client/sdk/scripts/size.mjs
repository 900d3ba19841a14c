// Fails when an entry of dist has grown beyond its budget. Bytes after gzip -9.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const KB = 1024;
const BUDGETS = [
  { name: 'core, worklets inside', file: 'index.js', kb: 16 },
  { name: 'react, without the core', file: 'react.js', kb: 4 },
  { name: 'element, before a call', file: 'element.js', kb: 11 },
  { name: 'element, one file for a script tag', file: 'vivavoce-call.js', kb: 32 },
  { name: 'react native, without either', file: 'react-native.js', kb: 4 },
];

let isTooLarge = false;
for (const { name, file, kb } of BUDGETS) {
  const bytes = gzipSync(readFileSync(new URL(`../dist/${file}`, import.meta.url)), { level: 9 }).length;
  const isOver = bytes > kb * KB;
  isTooLarge ||= isOver;
  console.log(`${isOver ? 'TOO LARGE ' : ''}${name}: ${bytes} of ${kb * KB} bytes`);
}
process.exit(isTooLarge ? 1 : 0);
