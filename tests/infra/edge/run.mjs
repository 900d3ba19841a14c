// Runs infra/edge/route.js as CloudFront would: a module with `cloudfront`, `crypto` and `Buffer`, no
// network, no files, no eval. Reads [{path, now, store, headers}] on stdin, prints what became of each.
import fs from 'node:fs';
import crypto from 'node:crypto';
import vm from 'node:vm';

const source = fs.readFileSync(process.argv[2], 'utf8');
const cases = JSON.parse(fs.readFileSync(0, 'utf8'));
let now, store, origin;

const cf = {
    kvs: () => ({
        get: async (key, options) => {
            if (store === null || !(key in store)) throw new Error('KeyNotFound');
            return options && options.format === 'json' ? JSON.parse(store[key]) : store[key];
        },
    }),
    updateRequestOrigin: (given) => {
        origin = given;
    },
};
const context = vm.createContext(
    {
        Buffer,
        Date: { now: () => now * 1000 },
        require: (name) => {
            if (name !== 'crypto') throw new Error(`no module ${name}`);
            return { createHmac: crypto.createHmac, createHash: crypto.createHash };
        },
    },
    { codeGeneration: { strings: false, wasm: false } },
);
const edge = new vm.SourceTextModule(`${source}\nglobalThis.handler = handler;`, { context });
await edge.link((name) => {
    if (name !== 'cloudfront') throw new Error(`no module ${name}`);
    return new vm.SyntheticModule(['default'], function () { this.setExport('default', cf); }, { context });
});
await edge.evaluate();

const answers = [];
for (const each of cases) {
    now = each.now;
    store = each.store;
    origin = null;
    const request = { method: 'GET', uri: each.path, querystring: {}, headers: each.headers || {}, cookies: {} };
    const answer = await context.handler({ version: '1.0', context: { eventType: 'viewer-request' }, request });
    answers.push({ status: answer.statusCode || 0, origin, headers: answer.headers });
}
console.log(JSON.stringify({ answers }));
