package dev.vivavoce.audio;

public final class R {
  public static final class string {
    public static final int vivavoce_call = 1;
  }
}
