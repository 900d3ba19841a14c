import type { Standing } from './admission';

/** Advice on each error in the page's own words, keyed by the stable code. */

export interface Sentence {
  readonly title: string;
  readonly advice: string;
}

const SENTENCES: Record<string, Sentence> = {
  mic_denied: {
    title: 'The microphone is blocked for this page.',
    advice: 'Click the icon beside the address, allow the microphone, then start again.',
  },
  mic_not_found: {
    title: 'There is no microphone.',
    advice: 'Plug one in or switch your headset on, then start again.',
  },
  mic_in_use: {
    title: 'Another program holds the microphone.',
    advice: 'Close the other call or recorder, then start again.',
  },
  mic_unsupported: {
    title: 'This browser cannot record sound.',
    advice: 'Open the page in a current Chrome, Edge, Firefox or Safari.',
  },
  mic_lost: {
    title: 'The microphone went away.',
    advice: 'Plug it back in, or choose another one under “Sound”.',
  },
  mic_silent: {
    title: 'The microphone gives no sound at all.',
    advice: 'Check its mute switch, or choose another one under “Sound”.',
  },
  audio_blocked: { title: 'The browser keeps the sound off.', advice: 'Press “Turn sound on”.' },
  audio_interrupted: {
    title: 'Another app took the sound.',
    advice: 'End the phone call or the other app, then come back here.',
  },
  worklet_blocked: {
    title: 'The page is not allowed to load its audio code.',
    advice: 'Have the operator let the Content-Security-Policy admit the files named in “workletUrls”.',
  },
  speaker_unsupported: {
    title: 'The sound cannot go to that speaker.',
    advice: 'Choose the output in the system’s sound settings instead.',
  },
  insecure_context: {
    title: 'Browsers give the microphone to secure pages only.',
    advice: 'Open this page over https, or as http://localhost on this machine.',
  },
  connect_failed: {
    title: 'The server cannot be reached.',
    advice: 'Check that `make run` is still up and that you are online, then start again.',
  },
  connect_timeout: {
    title: 'The server did not answer in time.',
    advice: 'Wait a moment, then start again.',
  },
  connection_lost: {
    title: 'The connection was lost and did not come back.',
    advice: 'Check the network, then start again.',
  },
  token_failed: {
    title: 'No credential could be had for the call.',
    advice: 'Check that `make run` is still up, then start again.',
  },
  protocol_mismatch: {
    title: 'This page and the server speak different versions.',
    advice: 'Reload the page without its cache (Ctrl or ⌘ + Shift + R). If it stays, build the console anew.',
  },
  auth_missing: { title: 'The server asked who you are.', advice: 'Reload the page to sign in again.' },
  auth_invalid: {
    title: 'The server did not accept your credential.',
    advice: 'Reload the page: `make run` makes new secrets each time it starts.',
  },
  auth_expired: {
    title: 'Your credential has expired.',
    advice: 'Reload the page to get a fresh one, then start again.',
  },
  origin_refused: {
    title: 'The server does not accept calls from this page’s address.',
    advice: 'Have the operator add this origin to the deployment’s AllowedOrigins.',
  },
  ticket_expired: {
    title: 'The ticket for the call ran out before it was used.',
    advice: 'Start again. If it happens often, this device sleeps while it connects.',
  },
  ticket_used: {
    title: 'The ticket for the call was used already.',
    advice: 'Close other tabs that hold this conversation, then start again.',
  },
  agent_unknown: { title: 'There is no agent of that name here.', advice: 'Choose another agent.' },
  config_refused: {
    title: 'The agent does not leave that to you.',
    advice: 'Set the voice and language back to the agent’s own, then start again.',
  },
  session_unknown: { title: 'The server does not know this conversation.', advice: 'Start a new one.' },
  resume_refused: { title: 'The conversation could not be picked up again.', advice: 'Start a new one.' },
  session_ended: { title: 'This conversation is over.', advice: 'Start a new one.' },
  superseded: {
    title: 'Another tab or device has taken over this conversation.',
    advice: 'Go on there, or start a new one here.',
  },
  quota_sessions: {
    title: 'You have as many conversations open as allowed.',
    advice: 'End one in another tab, or wait until one runs out.',
  },
  quota_starts: { title: 'That was too many starts in a minute.', advice: 'Wait a minute, then start again.' },
  quota_minutes: {
    title: 'Today’s time for talking is used up.',
    advice: 'It is filled up again at midnight UTC.',
  },
  quota_exceeded: {
    title: 'The budget for conversations is used up.',
    advice: 'A day’s is filled up again at midnight UTC.',
  },
  idle: { title: 'Nobody said anything for a while.', advice: 'Start a new conversation.' },
  session_limit: { title: 'The conversation reached its longest duration.', advice: 'Start a new one.' },
  rate_limited: { title: 'Too much was sent in a short time.', advice: 'Wait some seconds, then start again.' },
  capacity: {
    title: 'The server is full.',
    advice: 'No place came free in time. Try again in a minute.',
  },
  relay_failed: {
    title: 'The server cannot take calls.',
    advice: 'What should carry this call ends as it starts. Its operator must look: vivavoce doctor says why.',
  },
  slow_client: {
    title: 'This connection is too slow for the agent’s voice.',
    advice: 'Move closer to the router or leave the mobile network; about 400 kbit/s are needed.',
  },
  abandoned: { title: 'The conversation waited too long for you.', advice: 'Start a new one.' },
  internal: { title: 'Something failed on the server.', advice: 'It has been logged. Start again.' },
  store_unavailable: { title: 'The server’s record does not answer.', advice: 'Wait some seconds, then start again.' },
  mint_failed: {
    title: 'The server could not get access to the model.',
    advice: 'Try again; if it stays, the operator must look at what mint says.',
  },
  key_refused: {
    title: 'The server has no working key for the model.',
    advice: 'The operator must put one in: GEMINI_API_KEY on this machine, the SSM parameter in a stack.',
  },
  going_away: { title: 'The server is moving the conversation.', advice: 'It goes on by itself in a moment.' },
  upstream_quota: { title: 'The model’s quota is used up.', advice: 'Try again later.' },
  upstream_overload: { title: 'The model is overloaded.', advice: 'Try again in a minute.' },
  upstream_policy: { title: 'The model will not talk about this.', advice: 'Start a new conversation on something else.' },
  upstream_context_full: { title: 'The conversation got too long for the model.', advice: 'Start a new one.' },
  upstream_auth: {
    title: 'The model did not accept the server’s pass.',
    advice: 'Try again; if it stays, the operator must look at the relay’s log.',
  },
  upstream_invalid: {
    title: 'The model did not accept this agent’s settings.',
    advice: 'Choose another agent or voice; the operator should check the agent’s file.',
  },
  upstream_credits: {
    title: 'The server’s account with the model has no credit.',
    advice: 'The operator must pay; calls then work at once.',
  },
  upstream_model: {
    title: 'This agent’s model does not exist.',
    advice: 'Choose another agent; the operator should correct the model in the agent’s file.',
  },
  upstream_region: {
    title: 'The model is not offered where the server is.',
    advice: 'The operator must deploy to another region.',
  },
  upstream_unavailable: { title: 'The model cannot be reached.', advice: 'Try again in a minute.' },
  not_connected: { title: 'There is no call to send that to.', advice: 'Start one first.' },
  too_large: { title: 'That is too large to send.', advice: 'Send something shorter.' },
  session_missing: {
    title: 'This page was not given a server.',
    advice: 'Open it as `make run` serves it: the address is printed there.',
  },
  link_missing: {
    title: 'This page needs a link that signs you in.',
    advice: 'Whoever runs this deployment gets one by `vivavoce token --stack NAME`; it holds for 15 minutes.',
  },
};

/** Differences of a deployed page, which a link signed in. */
const DEPLOYED: Record<string, string> = {
  connect_failed: 'Check that you are online. If you are, the link may be too old: open a new one.',
  auth_invalid: 'Open a new link; the deployment’s keys may have changed since this one was made.',
  auth_expired: 'Open a new link, each holds for 15 minutes; then start again.',
};

/** A code this page does not know, of a newer server, gets the library's advice. */
export function sentence(code: string, standing: Standing, advice = 'Tell the operator the code beside this.'): Sentence {
  const known = SENTENCES[code] ?? { title: 'The call failed.', advice };
  const deployed = standing === 'signed-in' ? DEPLOYED[code] : undefined;
  return deployed ? { ...known, advice: deployed } : known;
}
