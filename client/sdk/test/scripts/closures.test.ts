import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isCore, rewrittenClasses, withClosures } from '../../scripts/closures.mjs';

const made = (text: string) => withClosures(text, 'a.ts').replace(/\s+/g, ' ');
const core = (readdirSync('src', { recursive: true }) as string[])
  .map((file) => `/src/${file}`)
  .filter(isCore)
  .map((file) => readFileSync(file.slice(1), 'utf8'));

/** What a rewritten class does: its text is run. */
function run(text: string, expression: string): unknown {
  const script = withClosures(text, 'a.js').replaceAll(': any', '');
  return new Function(`${script}; return ${expression};`)();
}

describe('a class becomes a function', () => {
  test('private fields are variables, and the others belong to what is returned', () => {
    const counter = `class Counter {
      step = 2;
      #count = 0;
      #name;
      constructor(name) { this.#name = name; }
      get text() { return this.#name + this.#count; }
      add() { this.#count += this.step; this.#bump(); return this; }
      #bump() { this.#count += 1; }
    }`;
    expect(run(counter, "new Counter('n').add().add().text")).toBe('n6');
    expect(run(counter, "Object.keys(new Counter('n'))")).toEqual(['text', 'add', 'step']);
    expect(run(counter, "[new Counter('a').add(), new Counter('b')].map((one) => one.text).join()")).toBe('a3,b0');
  });

  test('private getters are called', () => {
    const text = 'class A { #at = 1; get #next() { return this.#at + 1; } read() { return this.#next * 2; } }';
    expect(run(text, 'new A().read()')).toBe(4);
  });

  test('fields are made in their order, before the constructor', () => {
    const text = `class A {
      #a = 1;
      b = this.#a + 1;
      #c;
      constructor(d) { this.#c = [this.#a, this.b, d]; }
      all() { return this.#c; }
    }`;
    expect(run(text, 'new A(3).all()')).toEqual([1, 2, 3]);
  });

  test('a parameter that becomes a field is one variable, and is known by its name in the constructor', () => {
    const text = `class A {
      #list;
      #sum;
      constructor(list) { this.#list = list;
        this.#sum = list.length; }
      all() { return [this.#list, this.#sum]; }
    }`;
    expect(run(text, 'new A([7]).all()')).toEqual([[7], 1]);
    expect(made('class A { #a; constructor(a) { this.#a = a; } }')).not.toContain('let $a');
  });

  test('methods stay asynchronous', async () => {
    const text = 'class A { async get() { return await this.#get(); } async #get() { return 5; } }';
    await expect(run(text, 'new A().get()')).resolves.toBe(5);
  });

  test('an arrow that only hands on is the method itself, unless the method takes something else', () => {
    expect(made('class A { #m(a) {} f = (a) => this.#m(a); }')).toContain('$self.f = $m;');
    expect(made('class A { #m(a) {} f = (a) => void this.#m(a); }')).toContain('$self.f = $m;');
    expect(made('class A { #m(a, b) {} f = (a) => this.#m(a); }')).toContain('$self.f = (a) => $m(a);');
    expect(made('class A { #m(...a) {} f = (a) => this.#m(a); }')).toContain('$self.f = (a) => $m(a);');
    expect(made('class A { #m(a, b) {} f = (a, b) => this.#m(b, a); }')).toContain('$self.f = (a, b) => $m(b, a);');
  });

  test('exports stay exports, and what is beside a class stays as it is', () => {
    expect(made('const a = 1; export class A { b = a; }')).toMatch(/^const a = 1; export function A\(\)/);
  });
});

describe('a class stays one', () => {
  test.each(['class A extends B { #a = 1; }', 'declare class A { a: number; }', 'export class VoiceClient { #a = 1; }'])(
    '%s',
    (text) => {
      expect(withClosures(text, 'a.ts')).toBe(text);
      expect(rewrittenClasses(text)).toEqual([]);
    },
  );
});

test.each([
  ['a static member', 'class A { static a = 1; }'],
  ['a setter', 'class A { set a(b) {} }'],
  ['a generator', 'class A { *a() {} }'],
  ['a parameter property', 'class A { constructor(private a: number) {} }'],
  ['the private member of another', 'class A { #a = 1; is(b: A) { return b.#a; } }'],
  ['the private member of who may not be there', 'class A { #a = 1; is() { return this?.#a; } }'],
  ['a question for a private member', 'class A { #a = 1; is(b: object) { return #a in b; } }'],
  ['a function with its own this', 'class A { a() { return function () { return this; }; } }'],
  ['an object whose method means itself', 'class A { a() { return { b: 1, c() { return this.b; } }; } }'],
  ['a constructor that returns early', 'class A { constructor(a: boolean) { if (a) return; } }'],
  ['a name of ours', 'const $a = 1; class A { #a = 1; }'],
])('is refused, with its line: %s', (_, text) => {
  expect(() => withClosures(`\n${text}`, 'a.ts')).toThrow(/^a\.ts:2: cannot be made a closure/);
});

test('of the core, no class that becomes a function is asked for by instanceof, or extended', () => {
  const names = core.flatMap(rewrittenClasses);
  expect(names.length).toBeGreaterThan(15);
  const asked = core.flatMap((text) => [...text.matchAll(/(?:instanceof|extends) (\w+)/g)].map(([, name]) => name));
  expect(asked).toContain('VoiceError');
  expect(names.filter((name) => asked.includes(name))).toEqual([]);
});
