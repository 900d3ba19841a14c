// What taking a microphone's sound to 16 kHz costs, beside the same filter that works out every tap anew.
// The two take turns in one run, so that a busy machine weighs on both. `npm ci` in client/sdk brings esbuild.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const SDK = fileURLToPath(new URL('../client/sdk/', import.meta.url));
const { build } = createRequire(`${SDK}package.json`)('esbuild');
const QUANTUM = 128; //: samples, what Web Audio hands to a worklet at once
const TAKEN_S = 10; //: of sound
const ROUNDS = 7;

const Resampler = await bundled('src/worklets/resampler.ts');

console.log('microphone   share of a core   the same, every tap anew   ratio');
for (const rateHz of [48_000, 44_100]) {
  const sound = Float32Array.from({ length: rateHz * TAKEN_S }, (_, at) => Math.sin((at * 2764) / rateHz));
  const kept = [];
  const anew = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    kept.push(cpuMs(() => stream(sound, new Resampler(rateHz, 16_000))));
    anew.push(cpuMs(() => directly(sound, rateHz)));
  }
  const [ours, plain] = [median(kept), median(anew)];
  const share = (ms) => `${(ms / TAKEN_S / 10).toFixed(2)} %`;
  console.log(`${rateHz} Hz     ${share(ours).padStart(15)}${share(plain).padStart(27)}${(plain / ours).toFixed(1).padStart(8)}`);
}

function stream(sound, resampler) {
  for (let at = 0; at < sound.length; at += QUANTUM) resampler.process(sound.subarray(at, at + QUANTUM));
}

/** Hann's window squared over 20 zeros of the sinc on each side, without a table. */
function directly(sound, rateHz) {
  const scale = (16_000 / rateHz) * 0.92;
  const half = Math.ceil(20 / scale);
  const output = new Float32Array(16_000 * TAKEN_S);
  for (let n = 0; n < output.length; n += 1) {
    const centre = (n * rateHz) / 16_000;
    for (let at = Math.ceil(centre - half); at < centre + half; at += 1) {
      const distance = at - centre;
      const x = Math.PI * distance * scale;
      const hann = 1 + Math.cos((Math.PI * distance) / half);
      output[n] += (((x ? Math.sin(x) / x : 1) * scale * hann * hann) / 4) * (sound[at] ?? 0);
    }
  }
  return output;
}

function cpuMs(work) {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function median(values) {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

async function bundled(path) {
  const { outputFiles } = await build({ entryPoints: [SDK + path], bundle: true, format: 'esm', write: false });
  const { Resampler } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
  return Resampler;
}
