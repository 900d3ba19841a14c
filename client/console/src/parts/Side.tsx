import { Latency } from './Latency';
import { Session } from './Session';
import { BreakThings } from './BreakThings';
import { EventLog } from './EventLog';

/** The instruments. */
export function Side() {
  return (
    <section className="side" aria-label="Instruments">
      <Latency />
      <Session />
      <BreakThings />
      <EventLog />
    </section>
  );
}
