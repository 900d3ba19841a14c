import { useView } from '../useDesk';
import { percentile, type Timing } from '../observatory';

interface Part {
  readonly name: string;
  readonly what: string;
  readonly ms: number;
}

/** Latency from the end of speech to the first sound of the answer, by stage. */
export function Latency() {
  const { timings } = useView();
  const last = timings.at(-1);
  const all = timings.map((timing) => timing.responseMs);
  return (
    <section className="instrument" aria-labelledby="latency-title">
      <h2 id="latency-title">
        Latency <span>end of your speech to the first sound</span>
      </h2>
      <div className="latency-top">
        <p className="figure" data-empty={!last}>
          {last ? Math.round(last.responseMs) : '–'}
          <span> ms</span>
        </p>
        <dl className="percentiles">
          <Pair name="p50" value={percentile(all, 0.5)} />
          <Pair name="p95" value={percentile(all, 0.95)} />
          <div>
            <dt>answers</dt>
            <dd>{all.length}</dd>
          </div>
        </dl>
      </div>
      <Breakdown timing={last} />
    </section>
  );
}

function Pair({ name, value }: { name: string; value: number | undefined }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value === undefined ? '–' : Math.round(value)}</dd>
    </div>
  );
}

function Breakdown({ timing }: { timing: Timing | undefined }) {
  const parts = timing ? partsOf(timing) : [];
  if (parts.length === 0) return null;
  const total = parts.reduce((sum, part) => sum + part.ms, 0);
  return (
    <>
      <div className="bar" aria-hidden="true">
        {parts.map((part) => (
          <Slice key={part.name} share={part.ms / total} name={part.name} />
        ))}
      </div>
      <dl className="legend">
        {parts.map((part) => (
          <div key={part.name} data-part={part.name} title={part.what}>
            <dt>{part.name}</dt>
            <dd>{Math.round(part.ms)}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

/** The width goes through the DOM: an inline style attribute is what the page's policy forbids. */
function Slice({ share, name }: { share: number; name: string }) {
  return <span data-part={name} ref={(element) => element?.style.setProperty('flex-grow', String(share))} />;
}

/** The relay knows its own share, half a round trip is the network's, and this page waited from there on. */
function partsOf({ responseMs, firstAudioMs, rttMs = 0 }: Timing): Part[] {
  const network = Math.min(rttMs / 2, Math.max(0, responseMs - firstAudioMs));
  return [
    { name: 'model', what: 'End of speech, as the model found it, to the relay’s first audio', ms: firstAudioMs },
    { name: 'network', what: 'Half a round trip between this page and the relay', ms: network },
    { name: 'this page', what: 'First audio to first sound: the jitter buffer', ms: responseMs - firstAudioMs - network },
  ].filter((part) => part.ms > 0);
}
