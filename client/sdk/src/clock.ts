/** Whole milliseconds since `at`, a time of `performance.now()`. */
export function since(at: number): number {
  return Math.round(performance.now() - at);
}
