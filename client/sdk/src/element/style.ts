/** Paper, ink and one yellow, which means: a voice, now. A page changes them by the properties named --vivavoce-…. */
export const CSS = `
:host {
  --accent: var(--vivavoce-accent, #ffd60a);
  --on-accent: var(--vivavoce-on-accent, #101416);
  --sheet: var(--vivavoce-surface, light-dark(#fbfcfc, #15191b));
  --field: var(--vivavoce-field, light-dark(#ffffff, #1d2225));
  --ink: var(--vivavoce-ink, light-dark(#101416, #edf1f2));
  --quiet: var(--vivavoce-muted, light-dark(#4a5358, #a4afb4));
  --line: var(--vivavoce-line, light-dark(#d3d9dc, #2b3236));
  --edge: light-dark(#717c82, #78848a);
  --rim: light-dark(#8a6d00, transparent);
  --well: var(--vivavoce-well, light-dark(#14191c, #06080a));
  --on-well: var(--vivavoce-on-well, #f2f5f6);
  --still: color-mix(in srgb, var(--on-well) 24%, var(--well));
  --danger: light-dark(#a9190f, #ff9a8f);
  --round: var(--vivavoce-radius, 20px);
  display: block;
  inline-size: 100%;
  max-inline-size: 26rem;
  container-type: inline-size;
  font: 400 1rem/1.5 var(--vivavoce-font, 'Atkinson Hyperlegible Next', 'Atkinson Hyperlegible Next Variable', system-ui, sans-serif);
  text-align: start;
  -webkit-font-smoothing: antialiased;
}
:host([theme='light']) { color-scheme: light; }
:host([theme='dark']) { color-scheme: dark; }
:host([hidden]), [hidden] { display: none !important; }
*, ::before, ::after { box-sizing: border-box; }
p, ol, section { margin: 0; padding: 0; }
ol { list-style: none; }
button, input { font: inherit; color: inherit; }
button { cursor: pointer; touch-action: manipulation; }

.card {
  position: relative;
  overflow: hidden;
  border: 1px solid var(--line);
  border-radius: var(--round);
  background: var(--sheet);
  color: var(--ink);
}
:focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; box-shadow: 0 0 0 6px var(--accent); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.icon { inline-size: 1.25em; block-size: 1.25em; flex: none; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }

.tape {
  display: block;
  inline-size: calc(100% - 24px);
  block-size: 76px;
  margin: 12px 12px 0;
  border: 0 solid var(--accent);
  border-radius: calc(var(--round) - 8px);
  outline: 0 solid var(--still);
  background: var(--well);
  color: var(--on-well);
}

.transcript { position: relative; }
.scroll { max-block-size: var(--vivavoce-height, 19rem); overflow-y: auto; padding: 20px 20px 6px; scrollbar-width: thin; mask: linear-gradient(transparent 4px, #000 24px); }
.scroll:focus-visible { outline-offset: -3px; box-shadow: none; border-radius: var(--round) var(--round) 0 0; }
.lines { display: flex; flex-direction: column; gap: 14px; }
.said { position: relative; padding-inline-start: 15px; }
.by { display: flex; gap: 8px; align-items: baseline; font-size: 0.8125rem; line-height: 1.4; }
.who { font-weight: 650; }
.how { color: var(--quiet); font-size: 0.75rem; }
.words { position: relative; font-size: 1.0625rem; line-height: 1.45; text-wrap: pretty; overflow-wrap: anywhere; }
.said::before {
  content: '';
  position: absolute;
  inset-block: 3px;
  inset-inline-start: 0;
  inline-size: 5px;
  border-radius: 3px;
  background: var(--ink);
}
.said[data-role='agent']::before { background: var(--accent); box-shadow: 0 0 0 1px var(--rim); }
.unheard { color: var(--quiet); }
.missed { color: var(--quiet); font-size: 0.85em; }
.missed button { color: inherit; text-decoration: underline; }
[data-cut='true'] .unheard { text-decoration: line-through 1px; text-decoration-skip-ink: none; }
[data-playing='true'] .heard {
  text-decoration: underline 0.2em var(--accent);
  text-underline-offset: 0.14em;
  text-decoration-skip-ink: none;
}
.mark {
  display: inline-flex;
  align-items: center;
  gap: 2px;
  margin: 0 0.25em 0 0.4em;
  padding: 0 8px 0 4px;
  border: 1.5px solid var(--ink);
  border-radius: 999px;
  font-size: 0.75rem;
  font-weight: 650;
  line-height: 1.5;
  vertical-align: 0.18em;
  white-space: nowrap;
}
.said[data-role='user'][data-final='false'] .words::after {
  content: '';
  display: inline-block;
  inline-size: 0.5em;
  block-size: 1em;
  margin-inline-start: 0.15em;
  vertical-align: -0.12em;
  background: var(--accent);
  box-shadow: 0 0 0 1px var(--rim);
  animation: blink 1s steps(2) infinite;
}
@keyframes blink { 50% { opacity: 0; } }
.latest {
  position: absolute;
  inset-inline: 0;
  inset-block-end: 10px;
  inline-size: fit-content;
  margin-inline: auto;
  display: flex;
  align-items: center;
  gap: 4px;
  min-block-size: 32px;
  padding: 0 12px 0 8px;
  border: 1.5px solid var(--ink);
  border-radius: 999px;
  background: var(--sheet);
  font-size: 0.8125rem;
  font-weight: 600;
}

.trouble { position: relative; padding-inline-start: 15px; font-size: 0.9375rem; line-height: 1.45; }
.trouble::before { content: ''; position: absolute; inset-block: 3px; inset-inline-start: 0; inline-size: 5px; border-radius: 3px; background: var(--danger); }
.plain { min-block-size: 40px; margin-block-start: 10px; padding: 0 16px; border: 1.5px solid var(--ink); border-radius: 999px; background: none; font-weight: 600; font-size: 0.9375rem; }

.dock { display: grid; grid-template-columns: minmax(0, 1fr); gap: 14px; padding: 14px 20px 20px; }
.state { font-size: 1.375rem; font-weight: 650; line-height: 1.2; letter-spacing: -0.02em; }
.hint { margin-block-start: 2px; font-size: 0.875rem; line-height: 1.4; color: var(--quiet); text-wrap: balance; }
.keys { display: flex; gap: 8px; }
[data-writes='true'] .dock { grid-template-columns: minmax(0, 1fr) auto; }
[data-writes='true'] .keys { grid-area: 1 / 2; }
[data-writes='true'] :is(.trouble, .composer) { grid-column: 1 / -1; }
.key {
  display: inline-flex;
  flex: 1;
  align-items: center;
  justify-content: center;
  gap: 8px;
  min-block-size: 52px;
  padding: 0 16px;
  border: 1.5px solid var(--ink);
  border-radius: 999px;
  background: none;
  font-weight: 600;
  user-select: none;
  -webkit-user-select: none;
  transition: translate 80ms, background-color 120ms;
}
.key:hover { background: color-mix(in srgb, var(--ink) 7%, transparent); }
.key:active { translate: 0 1px; }
.round { flex: none; inline-size: 52px; padding: 0; }
.round[aria-disabled='true'] { border-color: var(--line); color: var(--edge); background: none; cursor: default; translate: none; }
.main { background: var(--accent); color: var(--on-accent); border-color: light-dark(var(--ink), var(--accent)); }
.main:hover { background: color-mix(in srgb, var(--accent) 82%, white); }
[data-key='mute'][aria-pressed='true'] { background: var(--ink); color: var(--sheet); border-color: var(--ink); }
[data-key='hold'] { touch-action: none; }
[data-key='hold'][aria-pressed='true'] { box-shadow: 0 0 0 5px color-mix(in srgb, var(--accent) 45%, transparent); }

.composer { display: flex; gap: 4px; position: relative; }
.field {
  flex: 1;
  min-inline-size: 0;
  min-block-size: 44px;
  padding: 0 52px 0 16px;
  border: 1px solid var(--edge);
  border-radius: 999px;
  background: var(--field);
}
.field::placeholder { color: var(--quiet); opacity: 1; }
.send { position: absolute; inset-block: 2px; inset-inline-end: 2px; inline-size: 44px; display: grid; place-items: center; border: 0; border-radius: 999px; background: none; }
.send:hover { background: color-mix(in srgb, var(--ink) 8%, transparent); }

@container (max-width: 340px) {
  .dock, .scroll { padding-inline: 16px; }
  .keys { flex-wrap: wrap; }
  .key:not(.round) { flex-basis: 100%; }
  .round { flex: 1; }
}
@media (prefers-reduced-motion: reduce) {
  *, ::before, ::after { animation: none !important; transition: none !important; }
}
@media (forced-colors: active) {
  .said::before { background: CanvasText; }
  .said[data-role='agent']::before { background: Highlight; }
  .key[aria-pressed='true'] { background: Highlight; color: HighlightText; forced-color-adjust: none; }
}
`;
