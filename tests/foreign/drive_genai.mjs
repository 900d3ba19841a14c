// @google/genai as it comes: a microphone, a tool, and a new session by handle whenever the old one ends.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { GoogleGenAI, Modality } from '@google/genai';

const SAMPLES = new URL('../../simulator/samples/', import.meta.url);
const tell = (fact) => console.log(JSON.stringify(fact));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let speech = Buffer.alloc(0);
let hasEnded = false;
createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, name] = line.trim().split(' ');
  if (command === 'quit') hasEnded = true;
  else speech = Buffer.concat([speech, readFileSync(new URL(`${name}.wav`, SAMPLES)).subarray(44)]);
});

const ai = new GoogleGenAI({
  apiKey: 'foreign-key',
  httpOptions: { baseUrl: process.env.FOREIGN_URL, apiVersion: 'v1beta' },
});
const tools = [{ functionDeclarations: [{ name: 'get_weather', description: 'The weather of a city.' }] }];
let handle;
let sound = 0;

async function converse() {
  let ended;
  const end = new Promise((resolve) => { ended = resolve; });
  const session = await ai.live.connect({
    model: process.env.FOREIGN_MODEL || 'gemini-3.8-live',
    config: {
      responseModalities: [Modality.AUDIO], tools,
      inputAudioTranscription: {}, outputAudioTranscription: {}, sessionResumption: { handle },
    },
    callbacks: {
      onmessage: (message) => {
        const update = message.sessionResumptionUpdate;
        if (update?.resumable && update.newHandle) handle = update.newHandle;
        const functionResponses = message.toolCall?.functionCalls?.map(({ id, name }) => (
          { id, name, response: { output: 'sunny' } }));
        if (functionResponses) session.sendToolResponse({ functionResponses });
        for (const part of message.serverContent?.modelTurn?.parts ?? []) {
          if (!part.inlineData) continue;
          sound += Buffer.from(part.inlineData.data, 'base64').length / 48_000;
          tell({ sound_s: Math.round(sound * 100) / 100 });
        }
        if (message.goAway) ended();
      },
      onclose: () => ended(),
      onerror: () => ended(),
    },
  });
  tell({ ready: true });
  const speaking = (async () => {
    let due = performance.now();
    let isOver = false;
    end.then(() => { isOver = true; });
    while (!isOver && !hasEnded) {
      const piece = Buffer.alloc(1280);
      speech.copy(piece, 0, 0, 1280);
      speech = speech.subarray(1280);
      session.sendRealtimeInput({ audio: { data: piece.toString('base64'), mimeType: 'audio/pcm;rate=16000' } });
      due += 40;
      await sleep(Math.max(0, due - performance.now()));
    }
    ended();
  })();
  await end;
  await speaking;
  session.close();
}

while (!hasEnded) {
  try {
    await converse();
  } catch (error) {
    tell({ ended: error.name });
  }
  await sleep(200);
}
process.exit(0);
