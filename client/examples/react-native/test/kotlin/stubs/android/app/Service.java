package android.app;

import android.content.Intent;

public abstract class Service extends android.content.Context {
  public static final int START_NOT_STICKY = 2;
  public abstract android.os.IBinder onBind(Intent intent);
  public int onStartCommand(Intent intent, int flags, int startId) { return 0; }
  public void onTaskRemoved(Intent rootIntent) {}
  public final void startForeground(int id, Notification notification) {}
  public final void startForeground(int id, Notification notification, int type) {}
  public final void stopSelf() {}
}
