import { VoiceError } from '../errors.js';
import type { ImageSource } from '../options.js';
import { IMAGE_BYTES } from '../protocol/tables.js';
import type { Image } from '../protocol/wire.js';

const MIMES: readonly string[] = ['image/jpeg', 'image/png', 'image/webp'];
const STEP = 0x8000; //: arguments a call may have everywhere

/** The message that shows an image. Throws VoiceError: `too_large`, `bad_message`. */
export async function encodeImage(image: ImageSource): Promise<Image> {
  const isBlob = image instanceof Blob;
  const mime = isBlob ? image.type : image.mime;
  if (!MIMES.includes(mime)) throw new VoiceError('bad_message', 'An image is JPEG, PNG or WebP.');
  const data = isBlob ? new Uint8Array(await image.arrayBuffer()) : image.data;
  if (data.length > IMAGE_BYTES) throw new VoiceError('too_large', 'An image has at most 700 KiB.');
  return { type: 'image', mime: mime as Image['mime'], data: base64(data) };
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += STEP) text += String.fromCharCode(...bytes.subarray(at, at + STEP));
  return btoa(text);
}
