// The edge's only decision: which relay does this signed path lead to? (CloudFront Functions, js-2.0)
// The same bytes as records/routes.py; infra/edge/vectors.json holds both to it. Nothing that is not
// signed chooses an address, and whatever is not a good route is answered 403 here.
import cf from 'cloudfront';
const crypto = require('crypto');

const EDGE_HEADER = 'x-vivavoce-edge';
// (?!\n): in this engine, unlike others, a bare $ also matches before a last line break.
const PATH = /^\/r\/([A-Za-z0-9-]{1,32})\/([A-Za-z0-9_-]{1,512})\.([A-Za-z0-9_-]{43})(?!\n)$/;
const SIGNED = /^([A-Za-z0-9.-]{1,253}):([1-9][0-9]{0,4})\|([0-9]{1,12})(?!\n)$/;
const REFUSED = {
    statusCode: 403,
    statusDescription: 'Forbidden',
    headers: { 'cache-control': { value: 'no-store' } },
};

// The time it takes says nothing about where the two differ.
function same(left, right) {
    let difference = left.length ^ right.length;
    for (let i = 0; i < right.length; i++) difference |= left.charCodeAt(i) ^ right.charCodeAt(i);
    return difference === 0;
}

function isSigned(keys, signed, signature, now) {
    const sign = (key) => crypto.createHmac('sha256', key).update(signed).digest('base64url');
    if (same(signature, sign(keys.current))) return true;
    return Boolean(keys.previous) && now < keys.until && same(signature, sign(keys.previous));
}

function addressOf(uri, keys, now) {
    const path = PATH.exec(uri);
    if (!path || !isSigned(keys, path[1] + '/' + path[2], path[3], now)) return null;
    const found = SIGNED.exec(Buffer.from(path[2], 'base64url').toString());
    if (!found || Number(found[2]) > 65535 || Number(found[3]) <= now) return null;
    return { host: found[1], port: Number(found[2]) };
}

async function handler(event) {
    const request = event.request;
    let keys;
    try {
        keys = await cf.kvs().get('keys', { format: 'json' });
    } catch (_) {
        return REFUSED; // not written yet: nothing can be verified
    }
    const address = addressOf(request.uri, keys.route, Math.floor(Date.now() / 1000));
    if (!address) return REFUSED;
    delete request.headers[EDGE_HEADER]; // only ours reaches a relay
    if (address.host !== 'alb') {
        cf.updateRequestOrigin({
            domainName: address.host,
            // A task that is gone answers nothing, and its caller waits: two seconds, not three times ten.
            connectionAttempts: 1,
            timeouts: { connectionTimeout: 2 },
            // Said in full: left out, CloudFront dials https on 443.
            customOriginConfig: { port: address.port, protocol: 'http', sslProtocols: ['TLSv1.2'] },
            customHeaders: { 'x-vivavoce-edge': keys.origin },
        });
    }
    return request;
}
