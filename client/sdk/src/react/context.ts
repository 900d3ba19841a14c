import { createContext, createElement, type ReactNode, useContext, useEffect, useState } from 'react';
import { VoiceClient, type VoiceClientOptions } from '../index.js';

const Context = createContext<VoiceClient | null>(null);

export type VoiceProviderProps = (VoiceClientOptions | { readonly client: VoiceClient }) & {
  readonly children?: ReactNode;
};

/** Gives the tree one client: yours, or one it makes of options and disposes after unmount. Connects nothing. */
export function VoiceProvider(props: VoiceProviderProps): ReactNode {
  const { children, ...rest } = props;
  const given = 'client' in rest ? rest.client : null;
  const own = useOwnClient(given ? null : (rest as VoiceClientOptions));
  return createElement(Context.Provider, { value: given ?? own }, children);
}

/** The client of the nearest provider. Throws without one. */
export function useVoiceClient(): VoiceClient {
  const client = useContext(Context);
  if (!client) throw new Error('useVoiceClient needs a <VoiceProvider> above it.');
  return client;
}

export function useClientOrOwn(options: VoiceClientOptions | undefined): VoiceClient {
  const shared = useContext(Context);
  const own = useOwnClient(shared ? null : (options ?? null));
  const client = shared ?? own;
  if (!client) throw new Error('useVoice needs options, or a <VoiceProvider> above it.');
  return client;
}

interface Owned {
  readonly client: VoiceClient | null;
  mounts: number;
}

/** A client that lives as long as the component. StrictMode unmounts and mounts again within one task: it stays. */
function useOwnClient(options: VoiceClientOptions | null): VoiceClient | null {
  const [owned] = useState<Owned>(() => ({ client: options ? new VoiceClient(options) : null, mounts: 0 }));
  useEffect(() => {
    if (options) owned.client?.update(options);
  });
  useEffect(() => {
    owned.mounts += 1;
    return () => {
      owned.mounts -= 1;
      queueMicrotask(() => {
        if (owned.mounts === 0) void owned.client?.dispose();
      });
    };
  }, [owned]);
  return owned.client;
}
