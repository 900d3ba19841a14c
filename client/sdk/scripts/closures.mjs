// Makes dist smaller: a class becomes a function whose private members are variables, which a minifier can shorten and
// put in place. Sources stay classes, and the tests run what this makes of them. A class stays one when it extends
// another (its `super` and its `instanceof` count), or when apps make it; what cannot be rewritten is an error.
import ts from 'typescript';

/** Apps make it with `new`, and may extend it. */
const PUBLIC = new Set(['VoiceClient']);
/** Entries of their own: they are small, and see the core from outside. */
const OUTSIDE = /\/src\/(advice|ondemand|react|testing)\//;

/** Whether the file at `path` becomes a part of the core or of a worklet. */
export function isCore(path) {
  return /\/src\/.*(?<!\.d)\.ts$/.test(path) && !OUTSIDE.test(path);
}

/** Names of the classes of a module that become functions. */
export function rewrittenClasses(text) {
  return plainClasses(parse(text, '')).map((node) => node.name.text);
}

/** The text of a module with its classes rewritten. Throws for what it does not know how to rewrite. */
export function withClosures(text, file) {
  const source = parse(text, file);
  const classes = plainClasses(source);
  if (classes.length) refuseDollars(source, source);
  return classes.reduceRight(
    (rest, node) => rest.slice(0, node.getStart(source)) + closure(node, source) + rest.slice(node.end),
    text,
  );
}

function parse(text, file) {
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
}

function plainClasses(source) {
  const classes = source.statements.filter(ts.isClassDeclaration);
  return classes.filter((node) => !PUBLIC.has(node.name.text) && !isKept(node));
}

function isKept(node) {
  const isDerived = node.heritageClauses?.some((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword);
  return isDerived || has(node, ts.SyntaxKind.DeclareKeyword);
}

function has(node, kind) {
  return node.modifiers?.some((modifier) => modifier.kind === kind) ?? false;
}

/** One class as a function: methods first (they are hoisted in a class too), fields in their order, the constructor. */
function closure(node, source) {
  const maker = node.members.find(ts.isConstructorDeclaration);
  const known = privates(node, maker);
  const text = (part) => rewritten(part, source, known);
  const parts = { functions: [], members: [], fields: [] };
  for (const member of node.members) {
    if (!allowed(member)) refuse(member, source);
    if (member !== maker && !known.parameters.has(nameOf(member))) place(member, parts, text);
  }
  const { parameters = '', body = '' } = maker ? made(maker, source, text, known) : {};
  return `${has(node, ts.SyntaxKind.ExportKeyword) ? 'export ' : ''}function ${node.name.text}(${parameters}) {
${parts.functions.join('\n')}
const $self: any = {
${parts.members.join(',\n')}
};
${parts.fields.join('\n')}
${body}
return $self;
}`;
}

/** What a rewriting must know: private getters, private methods by name, fields that are a parameter from the start. */
function privates(node, maker) {
  const members = node.members.filter(isPrivate);
  const given = new Set(maker?.parameters.map((parameter) => parameter.name.getText()));
  const taken = maker?.body.statements.map(takenParameter).filter((name) => name && given.has(name.slice(1)));
  return {
    getters: new Set(members.filter(ts.isGetAccessor).map(nameOf)),
    methods: new Map(members.filter(ts.isMethodDeclaration).map((method) => [nameOf(method), method.parameters])),
    parameters: new Set(taken),
  };
}

/** `#x` for `this.#x = x;`, else undefined. */
function takenParameter(statement) {
  return /^this\.(#(\w+)) = \2;$/.exec(statement.getText())?.[1];
}

function nameOf(member) {
  return member.name?.text;
}

function isPrivate(member) {
  return member.name !== undefined && ts.isPrivateIdentifier(member.name);
}

function allowed(member) {
  const kinds = [ts.isConstructorDeclaration, ts.isPropertyDeclaration, ts.isMethodDeclaration, ts.isGetAccessor];
  const isKnown = kinds.some((isOne) => isOne(member));
  const isPlain = !member.asteriskToken && !has(member, ts.SyntaxKind.StaticKeyword);
  return isKnown && isPlain && !member.parameters?.some((parameter) => parameter.modifiers);
}

/** Parameters and body of the constructor. A parameter that becomes a field is that field from the start. */
function made(maker, source, text, known) {
  refuseReturns(maker.body, source);
  const body = text(maker.body);
  const names = maker.parameters.map((parameter) => parameter.name.getText());
  const taken = names.filter((name) => known.parameters.has(`#${name}`));
  const used = taken.filter((name) => new RegExp(`\\b(?<![$.])${name}\\b`).test(body));
  const parameters = maker.parameters.map((parameter, at) => (taken.includes(names[at]) ? '$' : '') + text(parameter));
  const aliases = used.map((name) => `const ${name} = $${name};`);
  return { parameters: parameters.join(', '), body: [...aliases, body].join('\n') };
}

/** Where a member goes: private ones are variables and functions, the others belong to the object that is returned. */
function place(member, { functions, members, fields }, text) {
  const name = text(member.name);
  if (ts.isPropertyDeclaration(member)) {
    const value = member.initializer && text(member.initializer);
    if (isPrivate(member)) fields.push(`let ${name}: any${value ? ` = ${value}` : ''};`);
    else if (value) fields.push(`$self.${name} = ${value};`);
    return;
  }
  const callable = `${name}(${member.parameters.map(text).join(', ')}) ${text(member.body)}`;
  const async = has(member, ts.SyntaxKind.AsyncKeyword) ? 'async ' : '';
  if (isPrivate(member)) functions.push(`${async}function ${callable}`);
  else members.push(`${ts.isGetAccessor(member) ? 'get ' : async}${callable}`);
}

/** The text of a node, with `this.#x` as a variable and any other `this` as the object that is returned. */
function rewritten(node, source, known) {
  const edits = [];
  const replace = (part, by) => void edits.push([part.getStart(source), part.end, by]);
  const visit = (part) => {
    if (ts.isPrivateIdentifier(part) && part !== node) refuse(part, source);
    if (part !== node && bindsThis(part) && mentionsThis(part)) refuse(part, source);
    if (isForwarded(part, known)) return replace(part, variable(forwarded(part)));
    if (ts.isExpressionStatement(part) && known.parameters.has(takenParameter(part))) return replace(part, '');
    if (ts.isPropertyAccessExpression(part) && ts.isPrivateIdentifier(part.name)) {
      if (part.expression.kind !== ts.SyntaxKind.ThisKeyword || part.questionDotToken) refuse(part, source);
      return replace(part, `${variable(part.name.text)}${known.getters.has(part.name.text) ? '()' : ''}`);
    }
    if (ts.isPrivateIdentifier(part)) return replace(part, variable(part.text));
    if (part.kind === ts.SyntaxKind.ThisKeyword) return replace(part, '$self');
    ts.forEachChild(part, visit);
  };
  visit(node);
  const start = node.getStart(source);
  return edits.reduceRight(
    (text, [from, to, by]) => text.slice(0, from - start) + by + text.slice(to - start),
    source.text.slice(start, node.end),
  );
}

function variable(name) {
  return `$${name.slice(1)}`;
}

/** `#m` for `(a, b) => this.#m(a, b)`. */
function forwarded(node) {
  if (!ts.isArrowFunction(node)) return undefined;
  const [, parameters, method, passed] =
    /^\(?([\w, ]*)\)? => (?:void )?this\.(#\w+)\(([\w, ]*)\)$/.exec(node.getText()) ?? [];
  return parameters === passed ? method : undefined;
}

/** The method itself does, where it takes just what it is given. */
function isForwarded(node, { methods }) {
  const parameters = methods.get(forwarded(node));
  if (!parameters || parameters.length !== node.parameters.length) return false;
  return !parameters.some((parameter) => parameter.dotDotDotToken);
}

/** Functions whose `this` is their own. */
function bindsThis(node) {
  return ts.isFunctionLike(node) && !ts.isArrowFunction(node);
}

function mentionsThis(node) {
  if (node.kind === ts.SyntaxKind.ThisKeyword) return true;
  return ts.forEachChild(node, (child) => mentionsThis(child) || undefined) ?? false;
}

/** A constructor that returns early would return nothing. */
function refuseReturns(node, source) {
  if (ts.isReturnStatement(node)) refuse(node, source);
  if (!ts.isFunctionLike(node)) ts.forEachChild(node, (child) => refuseReturns(child, source));
}

/** Names with a dollar are ours. */
function refuseDollars(node, source) {
  if (ts.isIdentifier(node) && node.text.startsWith('$')) refuse(node, source);
  ts.forEachChild(node, (child) => refuseDollars(child, source));
}

function refuse(node, source) {
  const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
  throw new Error(`${source.fileName}:${line + 1}: cannot be made a closure: ${node.getText(source)}`);
}
