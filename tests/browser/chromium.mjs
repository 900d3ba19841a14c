/** Chromium as the tests want it: no sandbox, a recording as microphone, a fresh profile. */
import { chromium } from 'playwright-core';
import { existsSync } from 'node:fs';

const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export function executable() {
  const found = PLACES.find((path) => path && existsSync(path));
  if (!found) throw new Error('no Chromium: set CHROMIUM to its path');
  return found;
}

/** `wav`: what the microphone hears, once; without one there is no microphone. `answer`: what the prompt is told. */
export function flags({ wav, answer = 'allow', args = [] } = {}) {
  const microphone = wav ? ['--use-fake-device-for-media-stream', `--use-file-for-fake-audio-capture=${wav}%noloop`] : [];
  const prompt = answer === 'allow' ? '--use-fake-ui-for-media-stream' : '--deny-permission-prompts';
  return [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    prompt,
    ...microphone,
    ...args,
  ];
}

export function launch(wishes) {
  return chromium.launch({ executablePath: executable(), headless: true, args: flags(wishes) });
}
