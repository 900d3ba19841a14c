import { useEffect, useState } from 'react';
import { Animated, AppState, Pressable, ScrollView, Text, View } from 'react-native';
import type { SessionSource } from 'vivavoce';
import {
  phone,
  useAgentState,
  useConnection,
  useLevelInto,
  useMessages,
  useMic,
  usePushToTalk,
  useSpeaker,
  VoiceProvider,
} from 'vivavoce/react-native';
import { audio } from './modules/vivavoce-audio';

const voice = phone(audio, { app: AppState });

export function App({ session }: { session: SessionSource }) {
  return (
    <VoiceProvider session={session} {...voice}>
      <Call />
      <Microphone />
      <Talk />
      <Words />
    </VoiceProvider>
  );
}

function Call() {
  const { status, error, prepare, connect, disconnect } = useConnection();
  useEffect(() => void prepare(), [prepare]); // with the screen: a call begins at once
  const agent = useAgentState();
  const isOn = status === 'connected' || status === 'reconnecting';
  return (
    <View>
      <Pressable accessibilityRole="button" onPress={() => void (isOn ? disconnect() : connect().catch(() => {}))}>
        <Text>{isOn ? 'Hang up' : 'Call'}</Text>
      </Pressable>
      <Text accessibilityLiveRegion="polite">{status === 'connected' ? agent : status}</Text>
      {error && <Text accessibilityRole="alert">{error.advice}</Text>}
    </View>
  );
}

/** Its device, its level, and why it is not heard. */
function Microphone() {
  const mic = useMic();
  const { interrupted } = useSpeaker();
  const [level] = useState(() => new Animated.Value(0));
  useLevelInto('input', level);
  return (
    <View>
      <Text>{mic.label ?? 'No microphone'}</Text>
      <Animated.View style={{ height: 4, backgroundColor: '#0a7', transform: [{ scaleX: level }] }} />
      {mic.status === 'paused' && (
        <Text accessibilityRole="alert">{interrupted ? 'Paused: another app has the audio.' : 'Paused.'}</Text>
      )}
    </View>
  );
}

/** Not needed with an open microphone; here to show how it is done. */
function Talk() {
  const { talking, pressProps } = usePushToTalk();
  return (
    <Pressable {...pressProps}>
      <Text>{talking ? 'Let go to end' : 'Hold to talk'}</Text>
    </Pressable>
  );
}

function Words() {
  const messages = useMessages({ tools: false });
  return (
    <ScrollView>
      {messages.map(({ id, role, heard, text }) => (
        <Text key={id} testID={role}>
          {heard ?? text}
        </Text>
      ))}
    </ScrollView>
  );
}
