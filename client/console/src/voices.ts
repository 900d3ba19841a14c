/** Suggestions only: the server takes any name, because the model's list grows faster than this one. */
export const VOICES: readonly string[] = ['Aoede', 'Charon', 'Fenrir', 'Kore', 'Leda', 'Orus', 'Puck', 'Zephyr'];
