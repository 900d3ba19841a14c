// Which property names a minifier may shorten: those of our own classes and interfaces that nobody outside sees.
import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { isCore } from './closures.mjs';

const ROOT = new URL('../', import.meta.url);
/** What others see whole: the wire, its states, and what passes between the page and its worklets. */
const SEEN = ['src/protocol/wire.ts', 'src/protocol/states.ts', 'src/worklets/messages.ts'];
const CALLED = ['process']; //: by the browser, in a worklet

/** A pattern for terser's `mangle.properties.regex`. */
export function ownNames() {
  const modules = readdirSync(new URL('src', ROOT), { recursive: true })
    .map((file) => `src/${file.replaceAll('\\', '/')}`)
    .filter((file) => isCore(`/${file}`))
    .map(parse);
  const exported = exportsOf(parse('src/index.ts'));
  const declarations = modules.flatMap((source) => [...source.statements]);
  const seen = new Set([
    ...CALLED,
    ...SEEN.flatMap((file) => wordsOf(parse(file))),
    ...declarations.filter((node) => exported.has(node.name?.text)).flatMap(wordsOf),
  ]);
  const names = new Set(declarations.flatMap(membersOf).filter((name) => !seen.has(name)));
  return new RegExp(`^(${[...names].sort().join('|')})$`);
}

function parse(file) {
  return ts.createSourceFile(file, readFileSync(new URL(file, ROOT), 'utf8'), ts.ScriptTarget.Latest, true);
}

/** What `index.ts` hands on by name. */
function exportsOf(index) {
  const lists = index.statements.map((node) => node.exportClause).filter((clause) => clause?.elements);
  return new Set(lists.flatMap((clause) => clause.elements.map((element) => element.name.text)));
}

/** Every word of a declaration but for what is private, and what it does. */
function wordsOf(node) {
  if (ts.isBlock(node) || (node.name && ts.isPrivateIdentifier(node.name))) return [];
  if (ts.isIdentifier(node) || ts.isStringLiteral(node)) return [node.text];
  const words = [];
  ts.forEachChild(node, (child) => {
    if (!ts.isPropertyDeclaration(node) || child !== node.initializer) words.push(...wordsOf(child));
  });
  return words;
}

function membersOf(node) {
  if (!ts.isClassDeclaration(node) && !ts.isInterfaceDeclaration(node)) return [];
  return node.members.filter((member) => member.name && ts.isIdentifier(member.name)).map((member) => member.name.text);
}
