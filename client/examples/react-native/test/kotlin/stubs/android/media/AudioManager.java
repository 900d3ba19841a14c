package android.media;

import java.util.List;

public class AudioManager {
  public static final int MODE_NORMAL = 0;
  public static final int MODE_IN_COMMUNICATION = 3;
  public static final int STREAM_VOICE_CALL = 0;
  public static final int AUDIOFOCUS_GAIN = 1;
  public static final int AUDIOFOCUS_GAIN_TRANSIENT_EXCLUSIVE = 4;
  public static final int AUDIOFOCUS_LOSS = -1;
  public static final int AUDIOFOCUS_LOSS_TRANSIENT = -2;
  public static final int AUDIOFOCUS_REQUEST_GRANTED = 1;
  public static final int GET_DEVICES_INPUTS = 1;
  public static final int GET_DEVICES_OUTPUTS = 2;

  public interface OnAudioFocusChangeListener {
    void onAudioFocusChange(int change);
  }

  @Deprecated
  public int requestAudioFocus(OnAudioFocusChangeListener listener, int stream, int hint) { return 0; }
  @Deprecated
  public int abandonAudioFocus(OnAudioFocusChangeListener listener) { return 0; }
  public int getMode() { return 0; }
  public void setMode(int mode) {}
  @Deprecated
  public boolean isSpeakerphoneOn() { return false; }
  @Deprecated
  public void setSpeakerphoneOn(boolean isOn) {}
  public AudioDeviceInfo[] getDevices(int flags) { return null; }
  public List<AudioDeviceInfo> getAvailableCommunicationDevices() { return null; }
  public boolean setCommunicationDevice(AudioDeviceInfo device) { return false; }
  public void clearCommunicationDevice() {}
  public void registerAudioDeviceCallback(AudioDeviceCallback callback, android.os.Handler handler) {}
  public void unregisterAudioDeviceCallback(AudioDeviceCallback callback) {}
}
