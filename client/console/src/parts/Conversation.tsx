import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { Message, TextMessage } from 'vivavoce';
import { useVoiceState } from 'vivavoce/react';
import { useView } from '../useDesk';
import type { CallSettings } from '../useCall';
import type { Note } from '../observatory';
import { timecode, title } from '../words';
import { Icon } from './Icon';
import { Invitation } from './Invitation';
import { Tool } from './Tool';

type Row = { readonly message: Message } | { readonly note: Note };

/** The hero of the page: who said what, and what of it was heard. */
export function Conversation({ settings }: { settings: CallSettings }) {
  const messages = useVoiceState((state) => state.messages);
  const status = useVoiceState((state) => state.status);
  const speaking = useVoiceState((state) => state.agent === 'speaking');
  const { notes, playing } = useView();
  const { ref, isAway, follow } = useFollowing(messages, notes);
  const isBlank = messages.length === 0;
  if (isBlank && (status === 'idle' || status === 'failed' || status === 'closed')) return <Invitation settings={settings} />;
  if (isBlank) return <p className="conversation blank">{status === 'connecting' ? 'Opening the line…' : 'Nothing said yet.'}</p>;
  const rows = merge(messages, notes);
  const from = rows[0] ? rowAt(rows[0]) : 0;
  const current = speaking ? messages.findLast((message) => message.kind === 'text' && message.role === 'agent') : undefined;
  return (
    <div className="conversation">
      <div className="scroll" ref={ref} tabIndex={0} role="log" aria-live="off" aria-label="Transcript">
        <ol className="rows" lang={settings.agent?.language ?? undefined}>
          {rows.map((row) =>
            'note' in row ? (
              <li key={row.note.id} className="note" lang="en">
                <span>{row.note.text}</span>
              </li>
            ) : row.message.kind === 'tool' ? (
              <Tool key={row.message.id} call={row.message} at={timecode(row.message.at - from)} />
            ) : (
              <Said
                key={row.message.id}
                message={row.message}
                agent={settings.agent?.name ?? 'agent'}
                at={timecode(row.message.at - from)}
                share={row.message === current && playing?.turn === row.message.turn ? playing.share : undefined}
              />
            ),
          )}
        </ol>
      </div>
      {isAway && (
        <button type="button" className="to-now" onClick={follow}>
          <Icon name="down" /> To the latest
        </button>
      )}
    </div>
  );
}

interface SaidProps {
  readonly message: TextMessage;
  readonly agent: string;
  readonly at: string;
  /** while it sounds: how much of it has come out of the speaker, 0 to 1 */
  readonly share: number | undefined;
}

function Said({ message, agent, at, share }: SaidProps) {
  const { role, interrupted = false, final } = message;
  const [heard, unheard] = split(message, share);
  const who = role === 'user' ? 'You' : title(agent);
  return (
    <li className="said" data-role={role} data-playing={share !== undefined} data-final={final} data-cut={interrupted}>
      <p className="said-who" lang="en">
        <time>{at}</time>
        <span className="said-name">{who}</span>
        {message.source === 'typed' && <span className="said-how">typed</span>}
      </p>
      <p className="said-words" dir="auto">
        <span className="heard">{heard}</span>
        {interrupted && (
          <span className="cut-mark" lang="en">
            <Icon name="cut" />
            <span>{heard ? 'interrupted' : 'interrupted before a word was heard'}</span>
          </span>
        )}
        {unheard && interrupted && <span className="unseen" lang="en"> Not heard: </span>}
        {unheard && ' '}
        {unheard && <span className="unheard">{unheard.trimStart()}</span>}
        {!final && role === 'user' && <span className="caret" aria-hidden="true" />}
      </p>
    </li>
  );
}

/** Heard and unheard part of a text: exact after an interruption, by the share of time while it sounds. */
function split({ text, heard, interrupted }: TextMessage, share: number | undefined): [string, string] {
  if (interrupted) {
    const known = heard ?? text;
    return text.startsWith(known) ? [known, text.slice(known.length)] : [known, ''];
  }
  if (share === undefined || share >= 1) return [text, ''];
  const about = text.indexOf(' ', Math.floor(share * text.length));
  return about < 0 ? [text, ''] : [text.slice(0, about), text.slice(about)];
}

function merge(messages: readonly Message[], notes: readonly Note[]): Row[] {
  const shown = messages.filter((message) => message.kind !== 'text' || message.text !== '');
  const rows: Row[] = [...shown.map((message) => ({ message })), ...notes.map((note) => ({ note }))];
  return notes.length === 0 ? rows : rows.sort((a, b) => rowAt(a) - rowAt(b));
}

function rowAt(row: Row): number {
  return 'note' in row ? row.note.at : row.message.at;
}

/** Keeps the end in sight unless the reader has scrolled away. */
function useFollowing(...news: unknown[]) {
  const ref = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const [isAway, setAway] = useState(false);
  useLayoutEffect(() => {
    const box = ref.current;
    if (box && follows.current) box.scrollTop = box.scrollHeight;
  }, news);
  useEffect(() => {
    const box = ref.current;
    if (!box) return undefined;
    const look = () => {
      follows.current = box.scrollHeight - box.scrollTop - box.clientHeight < 48;
      setAway(!follows.current);
    };
    box.addEventListener('scroll', look, { passive: true });
    return () => box.removeEventListener('scroll', look);
  });
  const follow = () => {
    const box = ref.current;
    if (box) box.scrollTop = box.scrollHeight;
    box?.focus({ preventScroll: true });
  };
  return { ref, isAway, follow };
}
