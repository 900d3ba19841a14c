// Writes api.md: every public declaration of every entry, from dist/types. `--check`: only says whether it fits.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = new URL('../', import.meta.url);
const REPORT = new URL('api.md', ROOT);
const ENTRIES = {
  vivavoce: 'index',
  'vivavoce/react': 'react/index',
  'vivavoce/react-native': 'react-native/index',
  'vivavoce/advice': 'advice/index',
  'vivavoce/element': 'element/index',
  'vivavoce/testing': 'testing/index',
};

const files = Object.values(ENTRIES).map((entry) => fileURLToPath(new URL(`dist/types/${entry}.d.ts`, ROOT)));
if (!files.every(existsSync)) throw new Error('no declarations in dist/types: run npm run build');
const program = ts.createProgram(files, {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  skipLibCheck: true,
});
const checker = program.getTypeChecker();
const printer = ts.createPrinter({ removeComments: true });

function declared(symbol) {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return target.declarations ?? [];
}

/** A declaration as it is written, less comments, private members and what is said for every one of them. */
function show(node, name) {
  if (ts.isSourceFile(node)) return `${name}: all of ${node.fileName.slice(node.fileName.indexOf('dist/types/') + 11)}`;
  const statement = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  const text = printer.printNode(ts.EmitHint.Unspecified, statement, node.getSourceFile());
  const lines = text.split('\n').filter((line) => !/^\s*(#private|private )/.test(line));
  return lines.join('\n').replace(/^export (declare )?/, '');
}

function section([title], index) {
  const module = checker.getSymbolAtLocation(program.getSourceFile(files[index]));
  const exported = checker.getExportsOfModule(module).sort((a, b) => (a.name < b.name ? -1 : 1));
  const texts = exported.flatMap((symbol) => declared(symbol).map((node) => show(node, symbol.name)));
  return `## ${title}\n\n\`\`\`ts\n${[...new Set(texts)].join('\n\n')}\n\`\`\`\n`;
}

const intro =
  '# The public types\n\nMade by `npm run api` from the built declarations; a change here is a change for users.\n';
const report = `${intro}\n${Object.entries(ENTRIES).map(section).join('\n')}`;
if (!process.argv.includes('--check')) writeFileSync(REPORT, report);
else if (readFileSync(REPORT, 'utf8') !== report) {
  console.error('api.md does not fit the built types: run npm run api, and look at what changed');
  process.exit(1);
}
