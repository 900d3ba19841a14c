import { Latency } from './Latency';
import { Session } from './Session';
import { BreakThings } from './BreakThings';
import { EventLog } from './EventLog';

/** The instruments. */
export function Side() {
  return (
    <aside className="side" aria-label="Instruments" tabIndex={-1}>
      <Latency />
      <Session />
      <BreakThings />
      <EventLog />
    </aside>
  );
}
