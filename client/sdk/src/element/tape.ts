import type { AudioLevels } from '../audio/engine.js';

const SAMPLE_MS = 50;
const BAR = 3; //: CSS pixels of a bar, and 1 between two
const STEP = BAR + 1;
const MARGIN = 10; //: CSS pixels
const FADE = 70; //: CSS pixels in which the oldest bars fade away
const FAINT = 0.45; //: of the pattern before a call
const FLOOR_DB = -54; //: quieter than this is drawn as a dot
const KEPT = 400; //: samples

interface Sample {
  readonly input: number;
  readonly output: number;
  readonly isCut?: boolean;
}

/** Share of the scale for a level (0..1 rms): decibels, because ears count in them. */
export function onScale(level: number): number {
  if (level <= 0) return 0;
  return Math.min(1, Math.max(0, 1 - (20 * Math.log10(level)) / FLOOR_DB));
}

const SILENCE: Sample = { input: 0, output: 0 };

/** A question and its answer, as heights from 0 to 1: what the tape shows before a call. */
function resting(back: number): Sample {
  const at = (back - 11) / 25; // the answer, newest, then the question
  if (at <= 0 || at >= 2) return SILENCE;
  const height = Math.sin(Math.PI * (at % 1)) * (0.6 + 0.4 * Math.sin(2.1 * back));
  return at < 1 ? { input: 0, output: height } : { input: height, output: 0 };
}

/** Draws both voices as they go by: the user's above the line, the agent's below. Its colours are the canvas's. */
export class Tape {
  #samples: Sample[] = []; //: heights, newest last
  #peak = { input: 0, output: 0 };
  #isCut = false;
  #sampledAt = 0;
  #frame = 0;
  readonly #canvas: HTMLCanvasElement;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
  }

  /** Mark an interruption: a cut through both halves. */
  cut(): void {
    this.#isCut = true;
  }

  /** Draw what is there, also after a change of size or colours. */
  draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const pen = width > 0 ? this.#canvas.getContext('2d') : null;
    if (!pen) return;
    const ratio = devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    pen.scale(ratio, ratio);
    const { color: you, borderTopColor: agent, outlineColor: quiet } = getComputedStyle(this.#canvas);
    const isResting = this.#samples.length === 0;
    for (let back = 0, x = width - MARGIN; x > MARGIN; back += 1, x -= STEP) {
      const { input, output, isCut } = (isResting ? resting(back) : this.#samples.at(-1 - back)) ?? SILENCE;
      const isLoud = input + output > 0;
      pen.globalAlpha = (isResting && isLoud ? FAINT : 1) * Math.min(1, x / FADE);
      const reach = height / 2 - MARGIN;
      if (!isLoud) bar(pen, x, height / 2 - BAR / 2, BAR, quiet);
      if (input > 0) bar(pen, x, height / 2 - 1 - input * reach, input * reach, you);
      if (output > 0) bar(pen, x, height / 2 + 1, output * reach, agent);
      if (isCut) dashes(pen, x, height, you);
    }
  }

  /** Follow these levels until `stop`. Where motion is unwanted, nothing moves. */
  run(levels: () => AudioLevels): void {
    if (this.#frame) return;
    this.#samples.push(SILENCE);
    this.draw();
    const reduced = matchMedia('(prefers-reduced-motion: reduce)');
    const step = (now: number) => {
      if (this.#hear(levels(), now) && !reduced.matches) this.draw();
      this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  /** True when a sample is complete. */
  #hear({ input, output }: AudioLevels, now: number): boolean {
    this.#peak = { input: Math.max(this.#peak.input, input), output: Math.max(this.#peak.output, output) };
    if (now - this.#sampledAt < SAMPLE_MS) return false;
    this.#sampledAt = now;
    this.#samples.push({
      input: onScale(this.#peak.input),
      output: onScale(this.#peak.output),
      isCut: this.#isCut,
    });
    this.#samples = this.#samples.slice(-KEPT);
    this.#peak = { input: 0, output: 0 };
    this.#isCut = false;
    return true;
  }
}

function bar(pen: CanvasRenderingContext2D, x: number, y: number, length: number, colour: string): void {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(x - BAR, y, BAR, Math.max(BAR, length), BAR / 2);
  pen.fill();
}

function dashes(pen: CanvasRenderingContext2D, x: number, height: number, colour: string): void {
  pen.fillStyle = colour;
  for (let y = 4; y < height - 6; y += 6) pen.fillRect(x - 2, y, 1, 3);
}
