// React Native's bridge carries text; its global scope has both functions, its types do not.
declare const atob: (text: string) => string;
declare const btoa: (text: string) => string;

export function decode(text: string): ArrayBuffer {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = characters.charCodeAt(at);
  return bytes.buffer;
}

export function encode(buffer: ArrayBuffer): string {
  let characters = '';
  for (const byte of new Uint8Array(buffer)) characters += String.fromCharCode(byte);
  return btoa(characters);
}
