import { VoiceError } from '../errors.js';
import { JWT_ENTRY_BYTES, SUBPROTOCOL } from './tables.js';

/** The subprotocols a client offers; a secret never gets into a URL. Throws VoiceError: `auth_invalid`, `too_large`. */
export function offer(kind: 'jwt' | 'ticket', secret: string, besides: readonly string[] = []): string[] {
  if (!/^[A-Za-z0-9._~-]+$/.test(secret)) throw new VoiceError('auth_invalid');
  if (secret.length > JWT_ENTRY_BYTES) throw new VoiceError('too_large');
  return [SUBPROTOCOL, `${SUBPROTOCOL}.${kind}.${secret}`, ...besides];
}
