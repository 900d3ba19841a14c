// Which property names a minifier may shorten: those of our own classes and interfaces that nobody outside sees.
import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';

/** What others see: the public types, the wire, and what passes between the page and its worklets. */
const SEEN = ['api.md', 'src/protocol/wire.ts', 'src/protocol/states.ts', 'src/worklets/messages.ts'];
/** Other entries, which see the core from outside; `process` is called by the browser. */
const OUTSIDE = /^(advice|ondemand|react|testing)\//;
const CALLED = ['process'];

/** A pattern for terser's `mangle.properties.regex`. */
export function ownNames() {
  const seen = new Set([...CALLED, ...SEEN.flatMap((file) => readFileSync(file, 'utf8').match(/[A-Za-z_$][\w$]*/g))]);
  const files = readdirSync('src', { recursive: true }).filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts') && !OUTSIDE.test(file));
  const names = new Set(files.flatMap((file) => members(`src/${file}`)).filter((name) => !seen.has(name)));
  return new RegExp(`^(${[...names].sort().join('|')})$`);
}

function members(file) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  return source.statements
    .filter((node) => ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node))
    .flatMap((node) => node.members.map((member) => (member.name && ts.isIdentifier(member.name) ? member.name.text : '')))
    .filter(Boolean);
}
