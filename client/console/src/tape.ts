import type { VoiceClient } from 'vivavoce';

const SAMPLE_MS = 50;
const BAR = 3; //: CSS pixels of a bar, and 1 between two
const STEP = BAR + 1;
const FLOOR_DB = -54; //: quieter than this is drawn as nothing

export interface Sample {
  readonly input: number;
  readonly output: number;
  readonly cut: boolean;
}

/** Share of the scale for a level (0..1 rms): decibels, because ears count in them. */
export function onScale(level: number): number {
  if (level <= 0) return 0;
  return Math.min(1, Math.max(0, 1 - (20 * Math.log10(level)) / FLOOR_DB));
}

/** Draws the two voices of a client as they go by. Touches no React state. */
export class TapeRecord {
  #samples: Sample[] = [];
  #peak = { input: 0, output: 0 };
  #cut = false;
  #sampledAt = 0;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly client: VoiceClient & { tape?: readonly Sample[] },
  ) {
    if (client.tape) this.#samples = [...client.tape];
  }

  /** Runs until the returned function is called. A still tape is drawn once, and at every change of size. */
  run({ isStill }: { isStill: boolean }): () => void {
    const reduced = matchMedia('(prefers-reduced-motion: reduce)');
    const stop = this.client.on('interrupted', () => (this.#cut = true));
    const resized = new ResizeObserver(() => this.#draw());
    resized.observe(this.canvas);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const redraw = () => this.#draw();
    scheme.addEventListener('change', redraw);
    let id = 0;
    const frame = (now: number) => {
      if (this.#listen(now) && !reduced.matches) this.#draw();
      id = requestAnimationFrame(frame);
    };
    if (!isStill) id = requestAnimationFrame(frame);
    return () => {
      cancelAnimationFrame(id);
      resized.disconnect();
      scheme.removeEventListener('change', redraw);
      stop();
    };
  }

  /** True when a sample is complete. */
  #listen(now: number): boolean {
    const { input, output } = this.client.levels;
    this.#peak.input = Math.max(this.#peak.input, input);
    this.#peak.output = Math.max(this.#peak.output, output);
    if (now - this.#sampledAt < SAMPLE_MS) return false;
    this.#sampledAt = now;
    this.#samples.push({ ...this.#peak, cut: this.#cut });
    if (this.#samples.length > 1000) this.#samples.splice(0, 500);
    this.#peak = { input: 0, output: 0 };
    this.#cut = false;
    return true;
  }

  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext('2d');
    if (!pen) return;
    const style = getComputedStyle(this.canvas);
    const [you, agent, line] = ['--tape-you', '--tape-agent', '--tape-line'].map((name) => style.getPropertyValue(name)) as [string, string, string];
    pen.scale(ratio, ratio);
    const middle = height / 2;
    pen.fillStyle = line;
    pen.fillRect(0, middle - 0.5, width, 1);
    for (let back = 0; back * STEP < width; back += 1) {
      const sample = this.#samples.at(-1 - back);
      if (!sample) break;
      const x = width - (back + 1) * STEP;
      this.#bar(pen, x, middle - 2, -onScale(sample.input) * (middle - 6), you);
      this.#bar(pen, x, middle + 2, onScale(sample.output) * (middle - 6), agent);
      if (sample.cut) this.#mark(pen, x, height, you);
    }
  }

  #bar(pen: CanvasRenderingContext2D, x: number, from: number, length: number, colour: string): void {
    if (Math.abs(length) < 1) return;
    pen.fillStyle = colour;
    pen.beginPath();
    pen.roundRect(x, length < 0 ? from + length : from, BAR, Math.abs(length), 1.5);
    pen.fill();
  }

  /** An interruption: a cut through both halves. */
  #mark(pen: CanvasRenderingContext2D, x: number, height: number, colour: string): void {
    pen.fillStyle = colour;
    for (let y = 3; y < height - 3; y += 6) pen.fillRect(x + 1, y, 1, 3);
  }
}
