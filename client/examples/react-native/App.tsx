import { Pressable, SafeAreaView, ScrollView, Text } from 'react-native';
import { useConnection, useMessages, VoiceProvider } from 'vivavoce/react';
import { NativeEngine } from './engine';
import { nativeSockets } from './transport';

const session = {
  url: 'wss://your-stack.example/v1',
  token: () => fetch('https://your-backend.example/voice-token').then((answer) => answer.text()),
};
const audio = { engine: new NativeEngine() };

export default function App() {
  return (
    <VoiceProvider session={session} audio={audio} transport={nativeSockets}>
      <Call />
    </VoiceProvider>
  );
}

function Call() {
  const { status, error, connect, disconnect } = useConnection();
  const messages = useMessages({ tools: false });
  const isOn = status === 'connected' || status === 'reconnecting';
  return (
    <SafeAreaView>
      <Pressable accessibilityRole="button" onPress={() => void (isOn ? disconnect() : connect())}>
        <Text>{isOn ? 'Hang up' : 'Talk'}</Text>
      </Pressable>
      {error && <Text accessibilityRole="alert">{error.advice}</Text>}
      <ScrollView>
        {messages.map(({ id, heard, text }) => (
          <Text key={id}>{heard ?? text}</Text>
        ))}
      </ScrollView>
    </SafeAreaView>
  );
}
