import type { Metadata } from 'next';
import type { ReactNode } from 'react';
import { controlUrl } from './session';
import { Voice } from './voice';

export const metadata: Metadata = { title: 'Vivavoce in Next.js', icons: 'data:,' };
export const dynamic = 'force-dynamic'; // who asks is known when somebody asks

export default async function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <Voice url={await controlUrl()}>{children}</Voice>
      </body>
    </html>
  );
}
