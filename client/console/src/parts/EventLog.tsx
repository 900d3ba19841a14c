import { useEffect, useRef, useState } from 'react';
import { KINDS, type Entry, type Kind } from '../observatory';
import { useDesk, useView } from '../useDesk';
import { title } from '../words';
import { Icon } from './Icon';

const ARROW = { in: '←', out: '→', here: '·' } as const;
const SAID = { in: 'received', out: 'sent', here: 'in this page' } as const;

/** The wire as it is, filtered; secrets are masked. The last 500 lines. */
export function EventLog() {
  const { observatory } = useDesk();
  const { entries, frames } = useView();
  const [hidden, setHidden] = useState<ReadonlySet<Kind>>(() => new Set<Kind>(['audio', 'figures']));
  const [held, hold] = useState<readonly Entry[] | null>(null);
  const shown = (held ?? entries).filter((entry) => !hidden.has(entry.kind));
  const toggle = (kind: Kind) => {
    const next = new Set(hidden);
    if (!next.delete(kind)) next.add(kind);
    setHidden(next);
  };
  const copy = () => void navigator.clipboard.writeText(shown.map((entry) => JSON.stringify(entry)).join('\n'));
  return (
    <section className="instrument log" aria-labelledby="log-title">
      <div className="log-top">
        <h2 id="log-title">Events</h2>
        <p className="instrument-note">
          audio {frames.up} up, {frames.down} down
        </p>
        <button type="button" className="quiet" aria-pressed={held !== null} aria-label="Hold the log" onClick={() => hold(held ? null : entries)}>
          <Icon name={held ? 'play' : 'pause'} />
        </button>
        <button type="button" className="quiet" aria-label="Copy the log" onClick={copy}>
          <Icon name="copy" />
        </button>
        <button type="button" className="quiet" aria-label="Clear the log" onClick={() => observatory.clearLog()}>
          <Icon name="close" />
        </button>
      </div>
      <div className="filters" role="group" aria-label="Kinds of events">
        {KINDS.map((kind) => (
          <button key={kind} type="button" aria-pressed={!hidden.has(kind)} onClick={() => toggle(kind)}>
            {title(kind)}
          </button>
        ))}
      </div>
      <Lines entries={shown} />
    </section>
  );
}

function Lines({ entries }: { entries: readonly Entry[] }) {
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    if (box.current && follows.current) box.current.scrollTop = box.current.scrollHeight;
  }, [entries]);
  const look = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current!;
    follows.current = scrollHeight - scrollTop - clientHeight < 24;
  };
  const from = entries[0]?.at ?? 0;
  return (
    <div className="lines" ref={box} tabIndex={0} role="region" aria-label="Event log" onScroll={look}>
      {entries.length === 0 && <p className="instrument-note">Nothing yet.</p>}
      <ol>
        {entries.map((entry) => (
          <li key={entry.id} data-direction={entry.direction}>
            <time>{((entry.at - from) / 1000).toFixed(2)}</time>
            <span className="arrow" role="img" aria-label={SAID[entry.direction]}>
              {ARROW[entry.direction]}
            </span>
            <span className="line-type">{entry.type}</span>
            <span className="line-detail" title={entry.json === undefined ? entry.detail : JSON.stringify(entry.json)}>
              {entry.detail}
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
}
