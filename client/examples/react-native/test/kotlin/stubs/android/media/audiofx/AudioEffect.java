package android.media.audiofx;

public class AudioEffect {
  public boolean getEnabled() { return false; }
  public int setEnabled(boolean isEnabled) { return 0; }
  public void release() {}
}
