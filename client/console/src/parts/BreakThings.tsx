import { useVoiceState } from 'vivavoce/react';
import { breakServer, type ServerPart } from '../admission';
import { seconds, type Recovery } from '../observatory';
import { useNow } from '../useClock';
import { useDesk, useView } from '../useDesk';

const DROP_MS = 4000;

/** A relay's end is felt as a break; the model's going away is the relay's business, and not felt at all. */
const STRUCK: Record<ServerPart, { readonly key: string; readonly what: string; readonly isFelt: boolean }> = {
  relay: { key: 'Kill the relay', what: 'Relay killed', isFelt: true },
  model: { key: 'Gemini leaves', what: 'Gemini goes away', isFelt: false },
};

/** Breaks the line on purpose, and shows how it comes back. */
export function BreakThings() {
  const { breaker, observatory, breaks } = useDesk();
  const session = useVoiceState((state) => state.sessionId);
  const isOn = useVoiceState((state) => state.status === 'connected');
  const { recovery, ledger, epoch } = useView();
  const cutMedia = () => {
    observatory.expectBreak('Audio line cut');
    breaker.cut('media');
  };
  const cutControl = () => {
    observatory.noteHarmless('Control line cut', 'it serves to start and to resume');
    breaker.cut('control');
  };
  const cutBoth = () => {
    observatory.expectBreak('Both lines cut');
    breaker.cutBoth();
  };
  const drop = () => {
    observatory.expectBreak(`Network off for ${DROP_MS / 1000} s`);
    breaker.drop(DROP_MS);
  };
  const strike = async (part: ServerPart) => {
    const { what, isFelt } = STRUCK[part];
    if (isFelt) observatory.expectBreak(what);
    else observatory.noteHarmless(what, 'the relay changes over at the next pause');
    if (!(await breakServer(part, session ?? '').catch(() => false))) observatory.noteHarmless(what, 'there was nothing to break');
  };
  return (
    <section className="instrument" aria-labelledby="break-title">
      <h2 id="break-title">
        Break things <span>cut the line and see</span>
      </h2>
      <div className="break-keys" role="group" aria-label="Cut">
        <button type="button" disabled={!isOn} onClick={cutMedia}>
          Audio line
        </button>
        <button type="button" disabled={!isOn} onClick={cutControl}>
          Control line
        </button>
        <button type="button" disabled={!isOn} onClick={cutBoth}>
          Both
        </button>
        <button type="button" disabled={!isOn} onClick={drop}>
          All, for {DROP_MS / 1000} s
        </button>
        {breaks.map((part) => (
          <button key={part} type="button" disabled={!isOn} onClick={() => void strike(part)}>
            {STRUCK[part].key}
          </button>
        ))}
      </div>
      {recovery && <Healing recovery={recovery} isSameRelay={recovery.epoch === epoch} missing={ledger.missing} repeated={ledger.repeated} />}
    </section>
  );
}

interface HealingProps {
  readonly recovery: Recovery;
  readonly isSameRelay: boolean;
  readonly missing: number;
  readonly repeated: number;
}

function Healing({ recovery, isSameRelay, missing, repeated }: HealingProps) {
  const isBroken = recovery.state === 'broken';
  const now = useNow(50, isBroken);
  const gap = seconds(recovery.gapMs ?? Math.max(0, now - recovery.startedAt));
  const told = { broken: `out for ${gap}`, back: `back after ${gap}`, lost: 'not recovered', unharmed: `no harm: ${recovery.why ?? ''}` }[recovery.state];
  return (
    <div className="healing" data-state={recovery.state}>
      <p>
        <span className="healing-sign" aria-hidden="true" />
        <span>
          <strong>{recovery.what}</strong>, {told}
        </span>
      </p>
      <p className="instrument-note">
        Events missing {missing}, received twice {repeated}
        {recovery.state === 'back' && (isSameRelay ? '. Same relay.' : '. Another relay.')}
      </p>
    </div>
  );
}
