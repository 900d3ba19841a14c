const PATHS = {
  mic: 'M12 3.5a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0v-5a3 3 0 0 1 3-3ZM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21',
  'mic-off': 'M9 9.5V6.5a3 3 0 0 1 6 0v4.5M5.5 11a6.5 6.5 0 0 0 10.5 5.1M18.5 11a6.4 6.4 0 0 1-.4 2.2M12 17.5V21M4 4l16 16',
  stop: 'M7 7h10v10H7z',
  end: 'M3.5 14.5c4.7-4.3 12.3-4.3 17 0l-2.3 2.5-3.4-1.7v-2.4a11 11 0 0 0-5.6 0v2.4L5.8 17Z',
  sound: 'M4 8h9M17 8h3M4 16h3M11 16h9M15 5.5v5M9 13.5v5',
  send: 'M5 12h13M13 7l5 5-5 5',
  copy: 'M9 9h10v10H9zM5 15V5h10',
  pause: 'M9 6v12M15 6v12',
  play: 'M8 6l10 6-10 6Z',
  cut: 'M4 12h5M15 12h5M10.5 8l3 8',
  down: 'M12 5v14M6 13l6 6 6-6',
  close: 'M6 6l12 12M18 6 6 18',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The sign of the house: one voice above the line, one below. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 26 26" aria-hidden="true" focusable="false">
      <path className="mark-you" d="M4 11V9.5M9 11V4M14 11V7.5" />
      <path className="mark-agent" d="M12 15v4M17 15v7.5M22 15v3" />
    </svg>
  );
}
