import type { ToolDefinition } from 'vivavoce';

/** A tool that runs in this page, so that a call of one can be seen: ask the agent what time it is here. */
export const localTime: ToolDefinition = {
  description: 'The date, time and time zone where the user is. Use it whenever the time matters.',
  parameters: { type: 'object', properties: {} },
  handler: () => ({
    now: new Date().toLocaleString('en-GB', { dateStyle: 'full', timeStyle: 'short' }),
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  }),
};
