// The console's own sign-in, with a browser's few names: `node sign_in.mjs '{"provider": …, "search": …, "kept": …}'`.
// Without `search` it leaves the page, and prints where to and what the tab keeps; with it, it has come back.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const console_ = new URL('../../client/console/', import.meta.url);
const ts = createRequire(new URL('package.json', console_))('typescript');
const source = readFileSync(new URL('src/signIn.ts', console_), 'utf8');
const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 };
const script = ts.transpileModule(source, { compilerOptions: options }).outputText;
const { comeBack, leaveToSignIn } = await import(`data:text/javascript;base64,${Buffer.from(script).toString('base64')}`);

const given = JSON.parse(process.argv[2]);
const kept = new Map(Object.entries(given.kept ?? {}));
let shown = given.search ?? '';
globalThis.sessionStorage = {
  getItem: (name) => kept.get(name) ?? null,
  setItem: (name, value) => kept.set(name, value),
  removeItem: (name) => kept.delete(name),
};
globalThis.location = {
  origin: given.origin,
  pathname: '/',
  search: given.search ?? '',
  assign: (url) => console.log(JSON.stringify({ url, kept: Object.fromEntries(kept) })),
};
globalThis.history = { replaceState: (_state, _title, url) => (shown = url) };

if (given.search === undefined) await leaveToSignIn(given.provider);
else {
  const token = await comeBack(given.provider);
  console.log(JSON.stringify({ token: token && (await token()), shown, kept: Object.fromEntries(kept) }));
}
