package android.media;

public class AudioRecord {
  public static final int STATE_INITIALIZED = 1;
  public static final int RECORDSTATE_RECORDING = 3;
  public AudioRecord(int source, int hz, int channels, int encoding, int bufferBytes) {}
  public static int getMinBufferSize(int hz, int channels, int encoding) { return 0; }
  public int getState() { return 0; }
  public int getRecordingState() { return 0; }
  public int getAudioSessionId() { return 0; }
  public AudioDeviceInfo getPreferredDevice() { return null; }
  public boolean setPreferredDevice(AudioDeviceInfo device) { return false; }
  public void startRecording() {}
  public void stop() {}
  public void release() {}
  public int read(byte[] into, int offset, int size) { return 0; }
}
