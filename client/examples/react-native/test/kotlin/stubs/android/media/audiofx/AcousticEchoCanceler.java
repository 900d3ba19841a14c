package android.media.audiofx;

public class AcousticEchoCanceler extends AudioEffect {
  public static boolean isAvailable() { return false; }
  public static AcousticEchoCanceler create(int session) { return null; }
}
