// Makes dist smaller: a class becomes a function whose private members are variables, which minifiers can shorten and
// put in place. Sources stay classes. What cannot be rewritten without a doubt is an error, or keeps being a class:
// one that extends another (its `instanceof` and its `super` count), and one that the caller names in `kept`.
import ts from 'typescript';

/** The text of a module with its classes rewritten. Throws for what it does not know how to rewrite. */
export function withClosures(text, file, kept = new Set()) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const classes = source.statements.filter(
    (node) => ts.isClassDeclaration(node) && !kept.has(node.name.text) && !inherits(node) && !isAmbient(node),
  );
  return classes.reduceRight(
    (rest, node) => rest.slice(0, node.getStart(source)) + closure(node, source) + rest.slice(node.end),
    text,
  );
}

function inherits(node) {
  return node.heritageClauses?.some((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword) ?? false;
}

function isAmbient(node) {
  return has(node, ts.SyntaxKind.DeclareKeyword);
}

function has(node, kind) {
  return node.modifiers?.some((modifier) => modifier.kind === kind) ?? false;
}

/** One class as a function: methods first (they are hoisted in a class too), fields in their order, the constructor. */
function closure(node, source) {
  const known = privates(node);
  const text = (part) => rewritten(part, source, known);
  const parts = { functions: [], members: [], fields: [], body: '', parameters: '' };
  for (const member of node.members) if (!known.parameters.has(nameOf(member))) place(member, parts, text, source, known);
  const { functions, members, fields, body, parameters } = parts;
  const exported = has(node, ts.SyntaxKind.ExportKeyword) ? 'export ' : '';
  return `${exported}function ${node.name.text}(${parameters}) {
${functions.join('\n')}
const $self: any = {
${members.join(',\n')}
};
${fields.join('\n')}
${body}
return $self;
}`;
}

/** What a rewriting must know: private getters, how many parameters methods take, fields that are a parameter. */
function privates(node) {
  const members = node.members.filter((member) => member.name && isPrivate(member));
  const maker = node.members.find(ts.isConstructorDeclaration);
  const given = new Set(maker?.parameters.map((parameter) => parameter.name.getText()));
  const taken = maker?.body.statements.map(takesParameter).filter((name) => name && given.has(name.slice(1))) ?? [];
  return {
    getters: new Set(members.filter(ts.isGetAccessor).map(nameOf)),
    arity: new Map(members.filter(ts.isMethodDeclaration).map((method) => [nameOf(method), method.parameters.length])),
    parameters: new Set(taken),
  };
}

/** `#x` for `this.#x = x;`, else undefined. */
function takesParameter(statement) {
  return /^this\.(#(\w+)) = \2;$/.exec(statement.getText())?.[1];
}

/** Parameters and body of the constructor. A parameter that becomes a field is that field from the start. */
function maker(member, text, known) {
  const body = text(member.body);
  const taken = member.parameters.map((parameter) => parameter.name.getText()).filter((name) => known.parameters.has(`#${name}`));
  const used = taken.filter((name) => new RegExp(`\\b(?<![$.])${name}\\b`).test(body));
  return {
    parameters: member.parameters
      .map((parameter) => (taken.includes(parameter.name.getText()) ? `$${text(parameter)}` : text(parameter)))
      .join(', '),
    body: `${used.map((name) => `const ${name} = $${name};`).join(' ')} ${body}`,
  };
}

function nameOf(member) {
  return member.name?.text;
}

function place(member, parts, text, source, known) {
  if (has(member, ts.SyntaxKind.StaticKeyword)) refuse(member, source);
  if (ts.isConstructorDeclaration(member)) {
    Object.assign(parts, maker(member, text, known));
    return;
  }
  const name = text(member.name);
  if (ts.isPropertyDeclaration(member)) {
    if (isPrivate(member)) parts.fields.push(`let ${name}: any${member.initializer ? ` = ${text(member.initializer)}` : ''};`);
    else if (member.initializer) parts.fields.push(`$self.${name} = ${text(member.initializer)};`);
  } else if (ts.isMethodDeclaration(member) || ts.isGetAccessor(member)) {
    const callable = `${name}(${member.parameters.map(text).join(', ')}) ${text(member.body)}`;
    const async = has(member, ts.SyntaxKind.AsyncKeyword) ? 'async ' : '';
    if (isPrivate(member)) parts.functions.push(`${async}function ${callable}`);
    else parts.members.push(`${ts.isGetAccessor(member) ? 'get ' : async}${callable}`);
  } else if (!ts.isSemicolonClassElement(member)) refuse(member, source);
}

function isPrivate(member) {
  return ts.isPrivateIdentifier(member.name);
}

/** The text of a node, with `this.#x` as a variable and any other `this` as the object that is returned. */
function rewritten(node, source, known) {
  const edits = [];
  const replace = (part, by) => void edits.push([part.getStart(source), part.end, by]);
  const visit = (part) => {
    const method = forwarded(part);
    if (method && known.arity.get(method) === part.parameters.length) return replace(part, variable(method));
    if (ts.isExpressionStatement(part) && known.parameters.has(takesParameter(part))) return replace(part, '');
    if (ts.isPropertyAccessExpression(part) && ts.isPrivateIdentifier(part.name)) {
      if (part.expression.kind !== ts.SyntaxKind.ThisKeyword || part.questionDotToken) refuse(part, source);
      return replace(part, `${variable(part.name.text)}${known.getters.has(part.name.text) ? '()' : ''}`);
    }
    if (ts.isPrivateIdentifier(part)) return replace(part, variable(part.text));
    if (part.kind === ts.SyntaxKind.ThisKeyword) return replace(part, '$self');
    if (part !== node && bindsThis(part) && mentionsThis(part)) refuse(part, source);
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

/** `#m` for `(a, b) => this.#m(a, b)`: the function itself does. */
function forwarded(node) {
  if (!ts.isArrowFunction(node)) return undefined;
  const [, parameters, method, passed] = /^\(?([\w, ]*)\)? => (?:void )?this\.(#\w+)\(([\w, ]*)\)$/.exec(node.getText()) ?? [];
  return parameters === passed ? method : undefined;
}

/** Functions whose `this` is their own. */
function bindsThis(node) {
  return ts.isFunctionLike(node) && !ts.isArrowFunction(node);
}

function mentionsThis(node) {
  return node.kind === ts.SyntaxKind.ThisKeyword || !!ts.forEachChild(node, (child) => mentionsThis(child) || undefined);
}

function refuse(node, source) {
  const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
  throw new Error(`${source.fileName}:${line + 1}: cannot be made a closure: ${node.getText(source)}`);
}
