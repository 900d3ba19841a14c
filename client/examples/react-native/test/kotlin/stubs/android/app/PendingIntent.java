package android.app;

public final class PendingIntent {
  public static final int FLAG_IMMUTABLE = 1 << 26;
  public static PendingIntent getActivity(android.content.Context context, int code, android.content.Intent intent, int flags) {
    return null;
  }
}
