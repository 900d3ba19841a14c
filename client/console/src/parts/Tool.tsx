import type { Json, ToolMessage } from 'vivavoce';

const STATUS: Record<ToolMessage['status'], string> = {
  running: 'running…',
  done: 'done',
  error: 'failed',
  cancelled: 'withdrawn',
};

/** A tool call where it happened in the conversation; its answer unfolds. */
export function Tool({ call, at }: { call: ToolMessage; at: string }) {
  return (
    <li className="said" data-role="tool" lang="en">
      <p className="said-who">
        <time>{at}</time>
        <span className="said-name">Tool</span>
      </p>
      <details className="tool" data-status={call.status}>
        <summary>
          <code>
            {call.name}
            <span>({brief(call.args)})</span>
          </code>
          <span className="tool-status">{STATUS[call.status]}</span>
          <span className="tool-where">{call.where === 'client' ? 'in this page' : 'on the server'}</span>
        </summary>
        <pre tabIndex={0}>{JSON.stringify(call.result ?? call.args, null, 2)}</pre>
      </details>
    </li>
  );
}

function brief(args: Json): string {
  if (args === null || typeof args !== 'object' || Array.isArray(args)) return JSON.stringify(args);
  return Object.entries(args)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    .join(', ');
}
