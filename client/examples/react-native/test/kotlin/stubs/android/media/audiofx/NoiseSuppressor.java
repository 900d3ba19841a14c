package android.media.audiofx;

public class NoiseSuppressor extends AudioEffect {
  public static boolean isAvailable() { return false; }
  public static NoiseSuppressor create(int session) { return null; }
}
