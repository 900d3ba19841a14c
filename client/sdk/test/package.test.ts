import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  exports: Record<string, string | Record<string, string>>;
  scripts: Record<string, string>;
};

/** Paths of what `npm pack` takes. */
function packed(): string[] {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const [{ files }] = JSON.parse(execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8' }));
  return (files as { path: string }[]).map(({ path }) => path);
}

describe.skipIf(!existsSync(new URL('dist/index.js', ROOT)))('the package', () => {
  const files = packed();

  test('holds what is built, its maps, its types, the licence and the list of types, and nothing else', () => {
    const others = files.filter((path) => !/^dist\/(worklets\/)?[a-z-]+\.js(\.map)?$|^dist\/types\/.+\.d\.ts$/.test(path));
    expect(others.sort()).toEqual(['LICENSE', 'README.md', 'api.md', 'package.json']);
    const scripts = files.filter((path) => path.endsWith('.js'));
    expect(scripts).toContain('dist/ondemand.js');
    expect(files.filter((path) => path.endsWith('.js.map')).sort()).toEqual(scripts.map((path) => `${path}.map`).sort());
  });

  test('holds every file its entries lead to', () => {
    const targets = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    );
    for (const target of targets) {
      const pattern = new RegExp(`^${target.replace('./', '').replaceAll('.', '\\.').replace('*', '.+')}$`);
      expect(files.filter((path) => pattern.test(path))).not.toEqual([]);
    }
  });

  test('has the licence of the repository', () => {
    expect(read('LICENSE')).toBe(read('../../LICENSE'));
  });

  test('has a README whose links lead somewhere from outside the repository', () => {
    const links = [...read('README.md').matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link as string);
    expect(links.filter((link) => !/^(https:|#)/.test(link))).toEqual([]);
  });

  test('runs nothing when it is installed', () => {
    const ran = ['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'prepare', 'postprepare'];
    expect(Object.keys(manifest.scripts).filter((name) => ran.includes(name))).toEqual([]);
  });
});
