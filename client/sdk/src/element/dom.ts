const SVG = 'http://www.w3.org/2000/svg';

/** Drawn on 24 by 24, by strokes. */
const ICONS = {
  mic: 'M12 3.5a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0v-5a3 3 0 0 1 3-3ZM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21',
  stop: 'M7 7h10v10H7z',
  end: 'M3.5 14.5c4.7-4.3 12.3-4.3 17 0l-2.3 2.5-3.4-1.7v-2.4a11 11 0 0 0-5.6 0v2.4L5.8 17Z',
  send: 'M5 12h13M13 7l5 5-5 5',
  write: 'M4 20l4-1L19 8l-3-3L5 16ZM14 7l3 3',
  cut: 'M4 12h5M15 12h5M10.5 8l3 8',
  down: 'M12 5v14M6 13l6 6 6-6',
  close: 'M6 6l12 12M18 6 6 18',
} as const;

export type IconName = keyof typeof ICONS;
type Attributes = Readonly<Record<string, string>>;

/** An element with its attributes and children. Nothing is parsed: that passes under any policy of a page. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function icon(name: IconName): SVGElement {
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  const svg = document.createElementNS(SVG, 'svg');
  for (const [key, value] of Object.entries({ class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true' }))
    svg.setAttribute(key, value);
  svg.append(path);
  return svg;
}

/** Writes only what differs: a reader would say the same again. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
