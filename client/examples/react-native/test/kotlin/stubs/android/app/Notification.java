package android.app;

public class Notification {
  public static final String CATEGORY_CALL = "call";

  public static class Builder {
    public Builder(android.content.Context context) {}
    public Builder(android.content.Context context, String channel) {}
    public Builder setSmallIcon(int icon) { return this; }
    public Builder setContentTitle(CharSequence title) { return this; }
    public Builder setContentText(CharSequence text) { return this; }
    public Builder setCategory(String category) { return this; }
    public Builder setContentIntent(PendingIntent intent) { return this; }
    public Builder setOngoing(boolean isOngoing) { return this; }
    public Notification build() { return new Notification(); }
  }
}
