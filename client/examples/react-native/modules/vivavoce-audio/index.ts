import { requireNativeModule } from 'expo-modules-core';
import type { NativeVoice } from 'vivavoce/react-native';

/** This phone's audio. Throws in an app that was built without the module. */
export const audio = requireNativeModule<NativeVoice>('VivavoceAudio');
