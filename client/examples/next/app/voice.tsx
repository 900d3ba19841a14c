'use client';

import type { ReactNode } from 'react';
import { VoiceProvider } from 'vivavoce/react';
import { token } from './session';

/** One client for all pages: a call goes on from page to page. */
export function Voice({ url, children }: { url: string; children: ReactNode }) {
  return <VoiceProvider session={{ url, token: () => token() }}>{children}</VoiceProvider>;
}
