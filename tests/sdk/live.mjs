// Google's JavaScript SDK, unmodified, against a simulator on plain ws.
// Usage: node live.mjs URL SAMPLE.wav HABITS; prints one JSON object with what every scene saw. HABITS is JSON of
// the model's name, and of what its profile says of setup, tool and typed text.
import { readFileSync } from 'node:fs';
import { GoogleGenAI, Modality } from '@google/genai';

const [, , baseUrl, wav, habits] = process.argv;
const { model: MODEL, setup, tool, text } = JSON.parse(habits);
const CONFIG = {
  responseModalities: [Modality.AUDIO],
  ...setup,
  systemInstruction: 'Be brief.',
  tools: [{ functionDeclarations: [{ name: 'get_weather', ...tool }] }],
  inputAudioTranscription: {},
  outputAudioTranscription: {},
  sessionResumption: {},
  contextWindowCompression: { triggerTokens: '25600', slidingWindow: { targetTokens: '12800' } },
  realtimeInputConfig: { automaticActivityDetection: { silenceDurationMs: 500 } },
};

const sdk = (apiKey = 'any', apiVersion = 'v1beta') =>
  new GoogleGenAI({ apiKey, httpOptions: { baseUrl, apiVersion } });

// A session, and a way to read its messages one after another.
async function open(ai, config = CONFIG) {
  const messages = [];
  let wake = () => {};
  const put = (message) => {
    messages.push(message);
    wake();
  };
  const session = await ai.live.connect({
    model: MODEL,
    config,
    callbacks: {
      onmessage: put,
      onerror: () => {},
      onclose: (event) => put({ closed: { code: event.code, reason: event.reason } }),
    },
  });
  let at = 0;
  // All messages up to and with the first that fits, a close at the latest.
  async function until(fits) {
    const from = at;
    for (;;) {
      while (at < messages.length) {
        const message = messages[at++];
        if (fits(message) || message.closed) return messages.slice(from, at);
      }
      await new Promise((resolve) => (wake = resolve));
    }
  }
  return { session, until };
}

const last = (list) => list[list.length - 1];
const isOver = (message) => message.serverContent?.turnComplete;
const said = (messages, side) =>
  messages.map((message) => message.serverContent?.[`${side}Transcription`]?.text ?? '').join('');
const refusal = (attempt) =>
  attempt.then(
    () => null,
    (error) => String(error.message ?? error),
  );

async function spokenTurn() {
  const { session, until } = await open(sdk());
  const pcm = Buffer.concat([readFileSync(wav).subarray(44), Buffer.alloc(32_000)]);
  for (let at = 0; at < pcm.length; at += 3_200) {
    const data = pcm.subarray(at, at + 3_200).toString('base64');
    session.sendRealtimeInput({ audio: { data, mimeType: 'audio/pcm;rate=16000' } });
  }
  const messages = []; // it says again what it heard; a model that thinks says so first, in a turn of its own
  do messages.push(...(await until(isOver)));
  while (!said(messages, 'output').endsWith(said(messages, 'input')));
  session.close();
  const parts = messages.flatMap((message) => message.serverContent?.modelTurn?.parts ?? []);
  const audio = Buffer.concat(parts.map((part) => Buffer.from(part.inlineData.data, 'base64')));
  return {
    input: said(messages, 'input'),
    output: said(messages, 'output'),
    audio: audio.toString('base64'),
    usage: last(messages).usageMetadata,
  };
}

async function toolCall() {
  const { session, until } = await open(sdk());
  const words = 'call get_weather {"city": "Oslo"}';
  if (text === 'realtime') session.sendRealtimeInput({ text: words });
  else session.sendClientContent({ turns: words });
  const [call] = last(await until((message) => message.toolCall)).toolCall.functionCalls;
  const response = { output: 'rain' };
  session.sendToolResponse({ functionResponses: [{ id: call.id, name: call.name, response }] });
  const messages = [];
  while (!said(messages, 'output').endsWith('says rain')) messages.push(...(await until(isOver)));
  session.close();
  return { args: call.args, output: said(messages, 'output') };
}

async function resumption() {
  const first = await open(sdk());
  const update = last(await first.until((message) => message.sessionResumptionUpdate?.resumable));
  first.session.close();
  const handle = update.sessionResumptionUpdate.newHandle;
  const again = await open(sdk(), { ...CONFIG, sessionResumption: { handle } });
  const names = [first.session.setupComplete?.sessionId, again.session.setupComplete?.sessionId];
  again.session.close();
  return { sameSession: Boolean(names[0]) && names[0] === names[1] };
}

async function goAway() {
  const { until } = await open(sdk());
  await fetch(`${baseUrl}/_control/fault`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ kind: 'go_away', time_left_s: 10 }),
  });
  const warning = last(await until((message) => message.goAway));
  return { timeLeft: warning.goAway.timeLeft, closed: last(await until((message) => message.closed)).closed };
}

const mint = (config) =>
  sdk('any', 'v1alpha').authTokens.create({
    config: {
      uses: 1,
      liveConnectConstraints: { model: MODEL, config: CONFIG },
      httpOptions: { apiVersion: 'v1alpha' },
      ...config,
    },
  });

async function lockedToken() {
  const token = await mint({});
  const ai = sdk(token.name, 'v1alpha');
  // Refused if it counted: TEXT is not spoken, and there are no tools in it.
  const { session, until } = await open(ai, { responseModalities: [Modality.TEXT] });
  session.sendRealtimeInput({ text: 'call get_weather' });
  const called = last(await until((message) => message.toolCall));
  session.close();
  return { tool: called.toolCall?.functionCalls[0].name, spent: await refusal(open(ai)) };
}

async function expiredToken() {
  const token = await mint({ expireTime: new Date(Date.now() - 1_000).toISOString() });
  return { refused: await refusal(open(sdk(token.name, 'v1alpha'))) };
}

const scenes = { spokenTurn, toolCall, resumption, goAway, lockedToken, expiredToken };
const seen = {};
for (const [name, scene] of Object.entries(scenes)) seen[name] = await scene();
process.stdout.write(JSON.stringify(seen), () => process.exit(0));
