import type { CallSettings } from '../useCall';
import { VOICES } from '../voices';
import { title } from '../words';

/** Form before the call: the agent to talk to, as a sentence to fill in. */
export function Invitation({ settings }: { settings: CallSettings }) {
  const { agent, agents, chooseAgent, voice, chooseVoice } = settings;
  const mayVoice = agent?.allow.includes('voice') ?? true;
  const own = agent?.voice ? `its own voice, ${agent.voice}` : 'its own voice';
  return (
    <section className="invitation" aria-label="Before the call">
      <p className="invitation-line">
        Talk to{' '}
        <span className="pick">
          <select aria-label="Agent" value={agent?.name ?? ''} onChange={(event) => chooseAgent(event.target.value)}>
            {(agents.length > 0 ? agents : [{ name: '' }]).map((each) => (
              <option key={each.name} value={each.name}>
                {title(each.name || 'the agent')}
              </option>
            ))}
          </select>
        </span>{' '}
        in{' '}
        <span className="pick">
          <select aria-label="Voice" value={voice} disabled={!mayVoice} aria-describedby="voice-why" onChange={(event) => chooseVoice(event.target.value)}>
            <option value="">{own}</option>
            {VOICES.filter((each) => each !== agent?.voice).map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </span>
        .
      </p>
      <p className="invitation-why" id="voice-why">
        {mayVoice
          ? 'This agent lets you choose the voice.'
          : `${title(agent?.name ?? 'This agent')} keeps its own voice; its file does not leave that to callers.`}
      </p>
      {agent?.greeting && (
        <blockquote className="greeting" lang={agent.language ?? undefined}>
          {agent.greeting}
        </blockquote>
      )}
    </section>
  );
}
