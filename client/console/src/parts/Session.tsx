import { useState } from 'react';
import { useVoiceState } from 'vivavoce/react';
import { useView } from '../useDesk';
import { useNow } from '../useClock';
import { timecode } from '../words';
import { Icon } from './Icon';

/** Identity, usage and connection quality of the session. */
export function Session() {
  const id = useVoiceState((state) => state.sessionId);
  const endsAt = useVoiceState((state) => state.endsAt);
  const metrics = useVoiceState((state) => state.metrics);
  const isOn = useVoiceState((state) => state.status === 'connected');
  const now = useNow(1000, endsAt !== undefined);
  const usage = useVoiceState((state) => state.usage);
  const { ledger } = useView();
  return (
    <section className="instrument" aria-labelledby="session-title">
      <h2 id="session-title">Session</h2>
      <dl className="facts">
        <div className="fact-wide">
          <dt>id</dt>
          <dd>{id ? <Copyable text={id} /> : '–'}</dd>
        </div>
        <Fact name="time left" value={endsAt === undefined || !isOn ? '–' : timecode(endsAt - now)} />
        {usage?.cost_micro_usd ? (
          <Fact
            name="cost"
            value={`${usage.estimated ? '≈ ' : ''}$${(usage.cost_micro_usd / 1e6).toFixed(4)}`}
            title="What the model costs, as the server reports it"
          />
        ) : null}
        <Fact name="tokens" value={usage ? (usage.tokens.total ?? 0).toLocaleString('en') : '–'} />
        <Fact name="round trip" value={metrics.rttMs === undefined ? '–' : `${Math.round(metrics.rttMs)} ms`} />
        <Fact name="buffered" value={`${Math.round(metrics.bufferedMs)} ms`} title="Audio that waits to be played" />
        <Fact name="gaps in sound" value={String(metrics.underruns)} title="Times the player ran dry" />
        <Fact name="up" value={`${kbit(metrics.uplinkBps)} kbit/s`} title={`Waits ${metrics.uplinkDelayMs} ms on its way; ${metrics.droppedUplinkMs} ms given up as too late`} />
        <Fact name="down" value={`${kbit(metrics.downlinkBps)} kbit/s`} />
        <Fact name="events" value={String(ledger.events)} title={`Counted by their positions; ${ledger.missing} missing`} />
      </dl>
    </section>
  );
}

function Fact({ name, value, title }: { name: string; value: string; title?: string }) {
  return (
    <div title={title}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Copyable({ text }: { text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = () =>
    void navigator.clipboard.writeText(text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    });
  return (
    <button type="button" className="copyable" onClick={copy} aria-label={`Copy the session’s id, ${text}`}>
      <span>{text}</span>
      <Icon name="copy" />
      <span className="copied">{isCopied ? 'copied' : ''}</span>
    </button>
  );
}

function kbit(bitsPerSecond: number): string {
  return String(Math.round(bitsPerSecond / 1000));
}
